#!/bin/sh
# Makes the certificates of the broker, by an authority of your own.
#
#   ./certificates.sh broker NAME…    the authority, if there is none yet, and the broker's certificate for these host
#                                     names and IP addresses: all by which devices and Node-RED call the broker.
#                                     Again, it renews the certificate: README.md says what else to do
#   ./certificates.sh device NAME     a certificate for one device or for Node-RED, where the broker asks for one
#
# Everything goes to ./certificates, or to the folder in $CERTIFICATES. Devices need ca.pem, and nothing else from there
# unless they have a certificate of their own. ca.key can make certificates that all devices trust: keep it elsewhere, offline.
set -eu
umask 077

folder=${CERTIFICATES:-$(dirname "$0")/certificates}
authority_days=3650
# Certificates of more than 825 days are refused by some clients.
days=825

fail() {
  echo "$1" >&2
  exit 1
}

new_key() {
  openssl ecparam -genkey -name prime256v1 -noout -out "$1"
}

authority() {
  [ ! -e ca.pem ] || return 0
  new_key ca.key
  openssl req -x509 -new -key ca.key -sha256 -days "$authority_days" -subj '/CN=Authority of my devices' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.pem
}

# certificate FILE COMMON-NAME USAGE [ALTERNATIVE-NAMES]
# What is there stays until the new one is complete. It is replaced, not written over: its key may belong to the broker's user.
certificate() {
  new_key "$1.key.new"
  openssl req -new -key "$1.key.new" -subj "/CN=$(echo "$2" | sed 's,/,\\/,g')" -out "$1.csr"
  {
    echo 'basicConstraints=critical,CA:FALSE'
    echo 'keyUsage=critical,digitalSignature'
    echo "extendedKeyUsage=$3"
    [ -z "${4:-}" ] || echo "subjectAltName=$4"
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days "$days" -extfile "$1.ext" -out "$1.pem.new"
  rm "$1.csr" "$1.ext"
  mv -f "$1.key.new" "$1.key"
  mv -f "$1.pem.new" "$1.pem"
}

# Clients look at the alternative names only, and tell IP addresses from host names.
alternative_names() {
  names=''
  for name in "$@"; do
    case $name in
      *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) case $name in *[!0-9a-fA-F.:]*) kind=DNS ;; *) kind=IP ;; esac ;;
      *) kind=DNS ;;
    esac
    names="$names${names:+,}$kind:$name"
  done
  echo "$names"
}

[ $# -ge 2 ] || fail "$(sed -n 's/^# \{0,1\}//; 2,9p' "$0")"
what=$1
shift
mkdir -p "$folder"
cd "$folder"
authority
[ -e ca.key ] || fail "ca.key is not in $folder: it is needed to make a certificate"
case $what in
  broker)
    certificate broker "$1" serverAuth "$(alternative_names "$@")"
    # The broker runs as a user of its own, who gets broker.key alone: see README.md.
    chmod 644 broker.pem ca.pem
    chmod 755 .
    ;;
  device) certificate "$(echo "$1" | tr / -)" "$1" clientAuth ;;
  *) fail "broker or device, not $what" ;;
esac
echo "$folder: $(echo *.pem)"

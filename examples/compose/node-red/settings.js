module.exports = {
  uiPort: 1880,
  flowFile: 'flows.json',
  credentialSecret: process.env.NODE_RED_CREDENTIAL_SECRET,
  adminAuth: {
    type: 'credentials',
    users: [{ username: 'admin', password: process.env.NODE_RED_PASSWORD_HASH, permissions: '*' }],
  },
};

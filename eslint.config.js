const js = require('@eslint/js');
const globals = require('globals');
const tseslint = require('typescript-eslint');

module.exports = tseslint.config(
  { ignores: ['dist/', 'dist.*.tmp/', 'node_modules/', 'test/runtimes/', 'test/results/', '.demo/'] },
  js.configs.recommended,
  { files: ['**/*.{js,mjs,cjs}'], languageOptions: { globals: globals.node } },
  { files: ['eslint.config.js'], languageOptions: { sourceType: 'commonjs' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './tsconfig.editor.json', './tsconfig.test.json'],
        tsconfigRootDir: __dirname,
      },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    // What the nodes are made of works on plain values: it must not know Node-RED, nor the nodes that use it.
    files: ['nodes/lib/**/*.ts'],
    ignores: ['nodes/lib/runtime/**', 'nodes/lib/editor/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { group: ['node-red', 'node-red/*', '@node-red/*'], message: 'nodes/lib must not import Node-RED.' },
            { group: ['**/runtime/*', '**/editor/*'], message: 'Only nodes may import lib/runtime and lib/editor.' },
            {
              regex:
                '(hmac-verify|registry-route|influx-(write|provision|aggregate|backup|server)|alarm-state|iot-(sign-publish|registry|keyring))/',
              message: 'nodes/lib must not import a node.',
            },
          ],
        },
      ],
    },
  },
);

// Package js holds the TypeScript client, which is used from npm and documented in its README.md.
// On the Go side there is only the test that runs its tests, so that they are part of the one sum.
package js

// Package js holds the TypeScript client, which is used from npm and documented in its README.md.
// Its one Go test runs the client's tests, so that go test counts them.
package js

// Package chaos breaks the built binary on purpose and counts again what it should know: it kills the process with
// kill -9 under load, stalls clients, fills the disk, damages checkpoints and sends what nobody should send. It uses the
// public doors only. What it finds stays as a test.
package chaos

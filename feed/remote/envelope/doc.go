// Package envelope is the messages between gateways and owners as they are written on a link; package remote says what
// they mean.
package envelope

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=paths=source_relative envelope.proto"

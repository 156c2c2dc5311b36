// Package link is the bytes between nodes.
package link

import (
	_ "github.com/asynkron/protoactor-go/remote"
	_ "github.com/hashicorp/memberlist"
	_ "google.golang.org/grpc"
	_ "google.golang.org/protobuf/proto"
)

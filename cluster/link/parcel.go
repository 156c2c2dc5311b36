package link

import "github.com/asynkron/protoactor-go/remote"

// Deserialize implements remote.RootSerialized.
func (p *Parcel) Deserialize() (remote.RootSerializable, error) { return arrived{p}, nil }

// arrived is a parcel at its goal.
type arrived struct{ parcel *Parcel }

// Serialize implements remote.RootSerializable; nobody sends an arrived parcel on.
func (a arrived) Serialize() (remote.RootSerialized, error) { return a.parcel, nil }

package messages

// Claim is what a node says of a shard that it folds, every beat.
type Claim struct {
	Shard    int
	State    ClaimState
	Position Position // of the last record folded
}

// ClaimState is how far a node has come with a shard.
type ClaimState uint8

// The states of a claim.
const (
	Loading ClaimState = 1 // it copies the checkpoint or replays
	Live    ClaimState = 2 // folded up to the last position that the log named within the last second
)

// String names the state.
func (s ClaimState) String() string {
	switch s {
	case Loading:
		return "loading"
	case Live:
		return "live"
	}
	return "unknown"
}

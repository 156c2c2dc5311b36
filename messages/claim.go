package messages

// Claim is what a node reports about a shard that it folds, in every beat.
type Claim struct {
	Shard    int
	State    ClaimState
	Position Position // of the last record folded
}

// ClaimState says whether a node has caught up with a shard.
type ClaimState uint8

// The states of a claim.
const (
	Loading ClaimState = 1 // copies the checkpoint or replays
	// has folded up to the last position that the log named within the last second
	Live ClaimState = 2
)

// String returns the state's name.
func (s ClaimState) String() string {
	switch s {
	case Loading:
		return "loading"
	case Live:
		return "live"
	}
	return "unknown"
}

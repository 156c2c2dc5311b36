package blob

import (
	"encoding/hex"
	"strings"

	"github.com/dashfeed/dashfeed/messages"
)

// suffix ends an object's name. Other names under the prefix are not checkpoints.
const suffix = ".checkpoint"

const positionDigits = 2 * messages.PositionBytes

// objectName returns names that sort as positions do.
func objectName(prefix string, p messages.Position) string {
	return prefix + "/" + hex.EncodeToString(p.Append(nil)) + suffix
}

// splitName parses a name of objectName. whole is false if a position is followed by something
// else: the temporary file of a writer that died.
func splitName(prefix, name string) (p messages.Position, whole, ok bool) {
	name, ok = strings.CutPrefix(name, prefix+"/")
	if !ok || len(name) < positionDigits {
		return p, false, false
	}
	b, err := hex.DecodeString(name[:positionDigits])
	if err != nil || strings.ToLower(name[:positionDigits]) != name[:positionDigits] {
		return p, false, false
	}
	p, _ = messages.DecodePosition(b)
	rest, ok := strings.CutPrefix(name[positionDigits:], suffix)
	return p, rest == "", ok
}

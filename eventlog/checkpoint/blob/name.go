package blob

import (
	"encoding/hex"
	"strings"

	"github.com/dashfeed/dashfeed/messages"
)

// suffix ends an object's name. Whatever else lies under the prefix is no checkpoint.
const suffix = ".checkpoint"

const positionDigits = 2 * messages.PositionBytes

// objectName sorts as the position does.
func objectName(prefix string, p messages.Position) string {
	return prefix + "/" + hex.EncodeToString(p.Append(nil)) + suffix
}

// splitName reads what objectName wrote. whole is false for what has a position in front and ends
// otherwise: the temporary file of a directory's writer that died.
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

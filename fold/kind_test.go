package fold_test

import (
	"math/rand/v2"
	"testing"

	"github.com/dashfeed/dashfeed/fold/definition"
)

// TestGeneratorDrawsEveryKind: a kind that is added to the table must be added to the generator,
// whose dashboards are folded by the engine and by the reference.
func TestGeneratorDrawsEveryKind(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	w := world{draw: func(n int) int { return r.IntN(max(n, 1)) }}
	drawn := map[definition.WindowKind]bool{}
	for range 200 {
		drawn[w.panel("p").Window.Kind] = true
	}
	for _, k := range definition.Kinds() {
		if !drawn[k] {
			t.Errorf("the generator draws no window of kind %s", k)
		}
	}
}

package fold_test

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

func TestPopulationIsBounded(t *testing.T) {
	p := fold.NewPopulation(5, 3)
	admitted := func(tenant string, n int) bool {
		return p.Admit(messages.Key{Tenant: tenant, Dashboard: fmt.Sprint("d", n)})
	}
	for n := range 5 {
		if got, want := admitted("a", n), n < 3; got != want {
			t.Errorf("dashboard %d of a: admitted %v, want %v", n, got, want)
		}
	}
	for n := range 5 {
		if got, want := admitted("b", n), n < 2; got != want {
			t.Errorf("dashboard %d of b: admitted %v, want %v: the shard has 5", n, got, want)
		}
	}
	if !admitted("a", 0) || !admitted("b", 1) {
		t.Error("who was admitted once is not any more")
	}
	p.Enter(messages.Key{Tenant: "a", Dashboard: "d9"})
	if !admitted("a", 9) {
		t.Error("who has an entry is not admitted")
	}
}

package placement

import (
	"fmt"
	"testing"
)

// moved counts the shards whose member at a rank differs.
func moved(a, b *Table, rank int) int {
	n := 0
	for s := range min(a.Shards(), b.Shards()) {
		if a.Members[a.Of(s)[rank]].Name != b.Members[b.Of(s)[rank]].Name {
			n++
		}
	}
	return n
}

func worst(t *Table, rank int) float64 {
	most := 0
	for _, n := range held(t, rank) {
		most = max(most, n)
	}
	return float64(most) * float64(len(t.Members)) / float64(t.Shards())
}

// TestBalanceAndMovement measures what placement costs; with -v it prints a table.
func TestBalanceAndMovement(t *testing.T) {
	t.Logf("%8s %7s | %-12s %-12s | %-9s %-9s %-9s | %-9s", "shards", "nodes", "worst first", "worst second", "leave", "arrive", "drain", "2nd is 1st")
	t.Logf("%8s %7s | %-12s %-12s | %-9s %-9s %-9s | %-9s", "", "", "/ share", "/ share", "/ share", "/ share", "/ share", "after crash")
	for _, c := range []struct{ shards, nodes int }{{256, 5}, {256, 3}, {64, 3}, {1024, 10}, {4096, 50}} {
		var leave, arrive, drain, first, second, successors, orphans float64
		const runs = 12
		for run := range runs {
			m := nodes(c.nodes + 1)
			for i := range m {
				m[i].Name = fmt.Sprintf("%s-%d", m[i].Name, run)
			}
			full, without := Rank(m, c.shards), Rank(m[:c.nodes], c.shards)
			share := float64(c.shards) / float64(c.nodes+1)
			leave = max(leave, float64(moved(full, without, 0))/share)
			arrive = max(arrive, float64(moved(without, full, 0))/share)
			first, second = max(first, worst(full, 0), worst(without, 0)), max(second, worst(full, 1), worst(without, 1))
			gone := m[c.nodes].Name
			for s := range c.shards {
				if full.Members[full.Of(s)[0]].Name == gone {
					orphans++
					if full.Members[full.Of(s)[1]].Name == without.Members[without.Of(s)[0]].Name {
						successors++
					}
				}
			}
			m[c.nodes].Tier = Draining
			drain = max(drain, float64(moved(full, Rank(m, c.shards), 0))/share)
		}
		t.Logf("%8d %7d | %-12.3f %-12.3f | %-9.2f %-9.2f %-9.2f | %.0f %%", c.shards, c.nodes, first, second, leave, arrive, drain, 100*successors/orphans)
		if first > MaxLoad && c.shards >= 256 {
			t.Errorf("%d shards over %d nodes: one is first for %.3f times its share", c.shards, c.nodes, first)
		}
		if leave > 1.4 || arrive > 1.4 {
			t.Errorf("%d shards over %d nodes: a departure moves %.2f, an arrival %.2f times its share", c.shards, c.nodes, leave, arrive)
		}
	}
}

func TestAddedShardsMoveLittle(t *testing.T) {
	for _, n := range []int{3, 5, 10} {
		before := Rank(nodes(n), 256)
		after := Rank(nodes(n), 256+16)
		got := moved(before, after, 0)
		t.Logf("%d nodes: 16 shards more moved %d of 256", n, got)
		if got > 26 {
			t.Errorf("%d nodes: 16 shards more moved %d of 256", n, got)
		}
	}
}

func BenchmarkRank(b *testing.B) {
	for _, c := range []struct{ shards, nodes int }{{256, 5}, {4096, 50}} {
		b.Run(fmt.Sprintf("%dx%d", c.shards, c.nodes), func(b *testing.B) {
			m := nodes(c.nodes)
			b.ReportAllocs()
			for b.Loop() {
				Rank(m, c.shards)
			}
		})
	}
}

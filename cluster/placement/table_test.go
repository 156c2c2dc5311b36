package placement

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func nodes(n int) []Member {
	m := make([]Member, n)
	for i := range m {
		m[i] = Member{Name: fmt.Sprintf("node-%d", i), Weight: 1}
	}
	return m
}

func drawMembers(t *rapid.T) []Member {
	names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}-[0-9]{1,2}`), 1, 12, rapid.ID[string]).Draw(t, "names")
	var m []Member
	for _, n := range names {
		m = append(m, Member{n, rapid.IntRange(1, 4).Draw(t, "weight"), Tier(rapid.IntRange(0, 2).Draw(t, "tier"))})
	}
	return m
}

// held counts how often each member has a rank.
func held(t *Table, rank int) []int {
	n := make([]int, len(t.Members))
	for s := range t.Shards() {
		n[t.Of(s)[rank]]++
	}
	return n
}

func TestEveryRankingIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), rapid.IntRange(1, 300).Draw(t, "shards")
		table := Rank(members, shards)
		for s := range shards {
			r := slices.Clone(table.Of(s))
			for i := 1; i < len(r); i++ {
				if table.Members[r[i]].Tier < table.Members[r[i-1]].Tier {
					t.Fatalf("shard %d: %v ranks behind a higher tier", s, r)
				}
			}
			slices.Sort(r)
			for i := range r {
				if int(r[i]) != i {
					t.Fatalf("shard %d: ranking %v lacks %d", s, table.Of(s), i)
				}
			}
		}
	})
}

func TestTheOrderOfMembersChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), rapid.IntRange(1, 100).Draw(t, "shards")
		a := Rank(members, shards)
		b := Rank(rapid.Permutation(members).Draw(t, "shuffled"), shards)
		if !slices.Equal(a.ranks, b.ranks) {
			t.Fatal("two orders of the same members give different tables")
		}
	})
}

func TestNobodyIsFirstForMoreThanItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, shards := drawMembers(t), rapid.IntRange(1, 600).Draw(t, "shards")
		table := Rank(members, shards)
		sum, lowest := 0, Draining
		for _, m := range members {
			lowest = min(lowest, m.Tier)
		}
		for _, m := range members {
			if m.Tier == lowest {
				sum += m.Weight
			}
		}
		for i, n := range held(table, 0) {
			m := table.Members[i]
			if m.Tier != lowest {
				if n > 0 {
					t.Fatalf("%v is first for %d shards beside a lower tier", m, n)
				}
				continue
			}
			share := float64(shards*m.Weight) / float64(sum)
			if float64(n) > max(MaxLoad*share, math.Ceil(share)) {
				t.Fatalf("%v is first for %d shards, its share is %.1f", m, n, share)
			}
		}
	})
}

func TestAnEmptyTable(t *testing.T) {
	for _, table := range []*Table{Rank(nil, 8), Rank(nodes(3), 0), Rank(nodes(3), -1)} {
		if table.Of(0) != nil || table.Of(-1) != nil || table.Shards() != 0 {
			t.Errorf("%+v is not empty", table)
		}
	}
}

func TestTheLogarithm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		x := r.Uint64() >> r.IntN(64)
		want := 64 - math.Log2(float64(max(x, 1)))
		if got := float64(nlog2(x)) / (1 << fraction); math.Abs(got-want) > 1e-9 {
			t.Fatalf("nlog2(%d) = %v, want %v", x, got, want)
		}
	}
}

func TestAGoldenTable(t *testing.T) {
	// Every binary of a cluster computes the same table: changing these numbers changes the
	// protocol of the cluster.
	table := Rank([]Member{{"a", 1, Settled}, {"b", 2, Settled}, {"c", 1, Held}, {"d", 3, Draining}}, 8)
	got := fmt.Sprint(table.ranks)
	const want = "[1 0 2 3 1 0 2 3 1 0 2 3 1 0 2 3 0 1 2 3 0 1 2 3 1 0 2 3 1 0 2 3]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

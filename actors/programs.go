package actors

import (
	"runtime"
	"sync"
	"weak"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
)

// programs shares the compiled form of a definition between its dashboards. It keeps no program
// alive: a program is collected after its last dashboard fell asleep.
type programs struct {
	table fold.Table

	mu   sync.Mutex
	made map[xxh3.Uint128]weak.Pointer[fold.Program] // by hash of the canonical form
}

func newPrograms(t fold.Table) *programs {
	return &programs{table: t, made: map[xxh3.Uint128]weak.Pointer[fold.Program]{}}
}

// compile returns the definition's program.
func (p *programs) compile(def *definition.Definition) (*fold.Program, error) {
	return p.find(def.Canonical(), func() (*definition.Definition, error) { return def, nil })
}

// compileCanonical returns the program of a definition in its canonical form.
func (p *programs) compileCanonical(canonical []byte) (*fold.Program, error) {
	return p.find(canonical, func() (*definition.Definition, error) { return definition.ParseCanonical(canonical) })
}

func (p *programs) find(canonical []byte, parse func() (*definition.Definition, error)) (*fold.Program, error) {
	hash := xxh3.Hash128(canonical)
	p.mu.Lock()
	made := p.made[hash].Value()
	p.mu.Unlock()
	if made != nil {
		return made, nil
	}
	def, err := parse()
	if err != nil {
		return nil, err
	}
	made, err = fold.Compile(def, p.table)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.made[hash].Value(); other != nil {
		return other, nil
	}
	p.made[hash] = weak.Make(made)
	runtime.AddCleanup(made, p.drop, hash)
	return made, nil
}

// drop removes a collected program, unless it was compiled again since.
func (p *programs) drop(hash xxh3.Uint128) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made[hash].Value() == nil {
		delete(p.made, hash)
	}
}

package definition

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/dashfeed/dashfeed/messages/event"
)

// MaxFilterBytes is the greatest length of a filter's source.
const MaxFilterBytes = 4 << 10

// maxFilterNodes bounds what a filter costs for each event.
const maxFilterNodes = 500

// FilterFunctions are the only functions of a filter. They are pure, the same everywhere, and none
// has a result that is much larger than its input or depends on the order of a map.
var FilterFunctions = []string{
	"abs", "ceil", "floor", "round", "min", "max", "int", "float", "string",
	"len", "lower", "upper", "trim", "trimPrefix", "trimSuffix", "hasPrefix", "hasSuffix", "indexOf", "lastIndexOf", "split",
}

// filterNames are the names that a filter can use. A missing label is nil, and so is missing
// metadata.
var filterNames = types.Map{
	"metric": types.String, "value": types.Float64, "time": types.Int64, "id": types.String,
	"labels": types.TypeOf(map[string]any{}), "metadata": types.Any,
}

// Filter is a compiled filter. It is safe for concurrent use.
type Filter struct {
	program *vm.Program
	uses    filterUses
	price   *tariff   // nil: it costs little, whatever the event
	states  sync.Pool // of *filterState
}

// filterState is what one Match needs; later calls reuse it.
type filterState struct {
	vm     vm.VM
	env    map[string]any
	labels map[string]any
}

// CompileFilter compiles a bool expression over filterNames.
func CompileFilter(src string) (*Filter, error) {
	if len(src) > MaxFilterBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", len(src), MaxFilterBytes)
	}
	guard := &filterGuard{prices: newPricer()}
	program, err := expr.Compile(src, append(filterOptions(filterNames), expr.Patch(guard))...)
	switch {
	case guard.refused != "": // the compiler's own error would be about a consequence of it
		return nil, errors.New(guard.refused)
	case err != nil:
		return nil, errors.New(firstLine(err))
	}
	f := &Filter{program: program, uses: guard.uses(), price: guard.price().tariff()}
	if least := guard.prices.total.fixed; least > MaxFilterPrice {
		return nil, fmt.Errorf("it costs %d units for every event, at most %d are allowed", least, MaxFilterPrice)
	}
	f.states.New = func() any {
		s := &filterState{env: map[string]any{}, labels: map[string]any{}}
		s.env["labels"] = s.labels
		return s
	}
	return f, nil
}

// filterOptions returns the options for compiling an expression over names.
func filterOptions(names types.Map) []expr.Option {
	options := []expr.Option{expr.Env(names), expr.AsBool(), expr.DisableAllBuiltins(), expr.DisableIfOperator(), expr.MaxNodes(maxFilterNodes)}
	for _, name := range FilterFunctions {
		options = append(options, expr.EnableBuiltin(name))
	}
	return options
}

// Price returns an upper bound of what Match costs for the event, in the units of MaxFilterPrice; 0
// if that is negligible.
func (f *Filter) Price(e *event.Event) int64 {
	if f.price == nil {
		return 0
	}
	return f.price.of(e)
}

// Match reports whether the event passes. An event on which the expression fails (for example, it
// orders by a missing label) does not pass.
func (f *Filter) Match(e *event.Event) bool {
	s := f.states.Get().(*filterState)
	f.uses.fill(s, e)
	out, err := s.vm.Run(f.program, s.env)
	pass, _ := out.(bool)
	f.states.Put(s)
	return err == nil && pass
}

// firstLine removes the excerpt of the source below a compiler's message.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

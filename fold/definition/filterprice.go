package definition

import (
	"maps"
	"math/bits"
	"regexp/syntax"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/dashfeed/dashfeed/messages/event"
)

// The price of a filter. The unit is one byte of text examined by one instruction of a pattern,
// about 10 ns. A filter has no loops, so its price is at most a linear function of the sizes of the
// fields that it reads. That function is computed when the filter is compiled and needs no clock:
// every machine refuses the same events, before it spends anything on them.
const (
	MaxFilterPrice = 200_000 // of one filter for one event
	MaxEventPrice  = 400_000 // of all filters of a dashboard for one event

	// cheapPrice is negligible: a filter that cannot cost more, whatever the event, counts as free.
	cheapPrice = MaxEventPrice / (2 * MaxPanels)
	// maxPattern is the greatest number of instructions that a pattern of matches may compile to.
	maxPattern = 1_000
)

// What a field may cost beyond being examined.
const (
	perDecodedByte  = 2  // JSON decoded into values, a value compared deeply or written as text
	perSplitByte    = 2  // one text for each byte
	perCasedByte    = 2  // lower and upper: two bytes can become three
	numberBytes     = 32 // a number as text
	mostLabelsBytes = event.MaxLabels * (event.MaxLabelNameBytes + event.MaxLabelValueBytes)
)

// The fields of an event whose sizes a price depends on; any other name is a label's.
const (
	sizeOfMetric   = "metric"
	sizeOfID       = "id"
	sizeOfMetadata = "metadata"
	sizeOfLabels   = "labels" // names and values of all labels
	sizeOfLabel    = "labels."
)

// price is an upper bound of what something costs or how long it is: a fixed part, and a part for
// each byte of the fields. It saturates at manyUnits.
type price struct {
	fixed int64
	per   map[string]int64
}

const manyUnits = 1 << 40

func fixedPrice(n int) price { return price{fixed: min(int64(n), manyUnits)} }

func priceOf(field string) price { return price{per: map[string]int64{field: 1}} }

func (p price) plus(o price) price {
	sum := price{fixed: min(p.fixed+o.fixed, manyUnits), per: maps.Clone(p.per)}
	if sum.per == nil && len(o.per) > 0 {
		sum.per = map[string]int64{}
	}
	for field, n := range o.per {
		sum.per[field] = min(sum.per[field]+n, manyUnits)
	}
	return sum
}

func (p price) times(n int64) price {
	product := price{fixed: timesUpTo(p.fixed, n), per: maps.Clone(p.per)}
	for field := range product.per {
		product.per[field] = timesUpTo(product.per[field], n)
	}
	return product
}

func timesUpTo(a, b int64) int64 {
	if a > 0 && b > manyUnits/a {
		return manyUnits
	}
	return a * b
}

// most returns the price for the largest event.
func (p price) most() int64 {
	sum := p.fixed
	for field, n := range p.per {
		size := int64(event.MaxLabelValueBytes)
		switch field {
		case sizeOfMetric:
			size = event.MaxMetricBytes
		case sizeOfID:
			size = event.MaxIDBytes
		case sizeOfMetadata:
			size = event.MaxMetadataBytes
		case sizeOfLabels:
			size = mostLabelsBytes
		}
		sum = min(sum+timesUpTo(n, size), manyUnits)
	}
	return sum
}

// tariff is a price prepared for evaluation on every event.
type tariff struct {
	fixed, perMetric, perID, perMetadata, perLabelsByte int64
	labels                                              []labelTariff
}

type labelTariff struct {
	name string
	per  int64
}

// tariff returns nil if no event can cost much.
func (p price) tariff() *tariff {
	if p.most() <= cheapPrice {
		return nil
	}
	t := &tariff{fixed: p.fixed, perMetric: p.per[sizeOfMetric], perID: p.per[sizeOfID], perMetadata: p.per[sizeOfMetadata], perLabelsByte: p.per[sizeOfLabels]}
	for _, field := range slices.Sorted(maps.Keys(p.per)) {
		if len(field) > len(sizeOfLabel) && field[:len(sizeOfLabel)] == sizeOfLabel {
			t.labels = append(t.labels, labelTariff{field[len(sizeOfLabel):], p.per[field]})
		}
	}
	return t
}

// of returns the price for an event. It cannot overflow: events and factors are bounded.
func (t *tariff) of(e *event.Event) int64 {
	sum := t.fixed + t.perMetric*int64(len(e.Metric)) + t.perID*int64(len(e.ID)) + t.perMetadata*int64(len(e.Metadata))
	if t.perLabelsByte > 0 {
		for _, l := range e.Labels {
			sum += t.perLabelsByte * int64(len(l.Name)+len(l.Value))
		}
	}
	for _, l := range t.labels {
		value, _ := e.Label(l.name)
		sum += l.per * int64(len(value))
	}
	return sum
}

// pricer adds up the cost of the nodes of an expression, from the leaves to the root. It knows how
// long each node's result can be.
type pricer struct {
	total price
	sizes map[ast.Node]price
}

func newPricer() *pricer { return &pricer{sizes: map[ast.Node]price{}} }

func (p *pricer) spend(x price) { p.total = p.total.plus(x) }

// visit processes a node whose children have been visited.
func (p *pricer) visit(node ast.Node) {
	p.spend(fixedPrice(1))
	p.sizes[node] = p.size(node)
}

// size adds the node's cost and returns how long its result can be.
func (p *pricer) size(node ast.Node) price {
	switch n := node.(type) {
	case *ast.StringNode:
		return fixedPrice(len(n.Value))
	case *ast.BytesNode:
		return fixedPrice(len(n.Value))
	case *ast.IdentifierNode:
		return p.field(n.Value)
	case *ast.MemberNode:
		return p.member(n)
	case *ast.BinaryNode:
		return p.binary(n)
	case *ast.UnaryNode:
		return p.sizes[n.Node]
	case *ast.ChainNode:
		return p.sizes[n.Node]
	case *ast.SliceNode: // a slice of a text counts characters
		p.spend(p.sizes[n.Node])
		return p.sizes[n.Node]
	case *ast.ConditionalNode:
		return p.sizes[n.Exp1].plus(p.sizes[n.Exp2])
	case *ast.ArrayNode:
		return p.sum(n.Nodes)
	case *ast.MapNode:
		return p.sum(n.Pairs)
	case *ast.PairNode:
		return p.sum([]ast.Node{n.Key, n.Value})
	case *ast.BuiltinNode:
		return p.call(n.Name, n.Arguments)
	case *ast.CallNode:
		name, _ := n.Callee.(*ast.IdentifierNode)
		if name == nil {
			return p.call("", n.Arguments)
		}
		return p.call(name.Value, n.Arguments)
	}
	return fixedPrice(numberBytes) // numbers, true and false, nil
}

func (p *pricer) sum(nodes []ast.Node) (all price) {
	for _, n := range nodes {
		all = all.plus(p.sizes[n])
	}
	p.spend(all)
	return all
}

// field also adds the cost of bringing a field into the expression.
func (p *pricer) field(name string) price {
	switch name {
	case sizeOfMetric, sizeOfID:
		p.spend(priceOf(name))
		return priceOf(name)
	case sizeOfMetadata:
		p.spend(priceOf(name).times(perDecodedByte))
		return priceOf(name)
	case sizeOfLabels:
		return priceOf(name)
	}
	return fixedPrice(numberBytes)
}

func (p *pricer) member(n *ast.MemberNode) price {
	if labelled, ok := n.Node.(*ast.IdentifierNode); ok && labelled.Value == "labels" {
		if name, ok := n.Property.(*ast.StringNode); ok {
			p.spend(priceOf(sizeOfLabel + name.Value))
			return priceOf(sizeOfLabel + name.Value)
		}
	}
	p.spend(p.sizes[n.Property])
	return p.sizes[n.Node]
}

func (p *pricer) binary(n *ast.BinaryNode) price {
	left, right := p.sizes[n.Left], p.sizes[n.Right]
	both := left.plus(right)
	switch n.Operator {
	case "matches":
		pattern, _ := n.Right.(*ast.StringNode)
		if pattern != nil {
			p.spend(left.plus(fixedPrice(1)).times(int64(instructions(pattern.Value))))
		}
	case "+":
		p.spend(both)
		return both
	case "??", "or", "||", "and", "&&":
		return both
	case "==", "!=", "in", "not in":
		if isText(n.Left) || isText(n.Right) {
			p.spend(both)
		} else {
			p.spend(both.times(perDecodedByte))
		}
	default: // contains, startsWith, endsWith, <, numbers
		p.spend(both)
	}
	return fixedPrice(numberBytes)
}

// isText reports whether comparing the node examines each byte once.
func isText(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StringNode:
		return true
	case *ast.IdentifierNode:
		return n.Value == sizeOfMetric || n.Value == sizeOfID
	case *ast.MemberNode:
		of, ok := n.Node.(*ast.IdentifierNode)
		return ok && of.Value == "labels"
	}
	return false
}

func (p *pricer) call(name string, arguments []ast.Node) price {
	var all price
	for _, a := range arguments {
		all = all.plus(p.sizes[a])
	}
	switch name {
	case "upper", "lower":
		all = all.times(perCasedByte)
		p.spend(all)
	case "split":
		p.spend(all.times(perSplitByte))
	case "string":
		p.spend(all.times(perDecodedByte))
		all = all.times(2).plus(fixedPrice(numberBytes)) // quotes disappear, the name of a kind is added
	case "trim": // searches each character in the set, which is a literal
		if len(arguments) > 1 {
			p.spend(p.sizes[arguments[0]].times(p.sizes[arguments[1]].fixed))
		}
		p.spend(all)
	case "len", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "int", "float":
		p.spend(all)
		return fixedPrice(numberBytes)
	default:
		p.spend(all)
	}
	return all
}

// instructions returns the size of a pattern's program, because each byte may have to be tested
// against all of it. An instruction that looks up a character class weighs more.
func instructions(pattern string) int {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0 // the compiler refuses it
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	weight := len(program.Inst)
	for i := range program.Inst {
		weight += bits.Len(uint(len(program.Inst[i].Rune)/8)) / 2
	}
	return weight
}

// Package foldtest is a second, slow and obviously right reading of docs/SEMANTICS.md, which the
// tests of fold run beside the engine. Nothing but tests may import it.
//
// It shares no code with the engine and none of its types: it may not import fold, fold/definition,
// messages or anything below them. It keeps every event for ever, has no panes, no accumulators and
// no indices, walks over everything it has at each record, and computes each value anew from the
// events of its window, sums exactly. Where the engine may differ in the last bits, a Value is a
// range that holds every allowed answer.
//
//	d := foldtest.New(definition)
//	d.Event(foldtest.At{Append: 5, LogTime: 7}, event)
//	d.Advance(20_000)
//	cells := d.Cells()
package foldtest

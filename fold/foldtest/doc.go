// Package foldtest is a second, slow and obviously correct implementation of docs/SEMANTICS.md. The
// tests of fold run it beside the engine. Only tests may import it.
//
// It shares no code and no types with the engine: it may not import fold, fold/definition, messages
// or anything below them. It keeps every event forever, has no panes, accumulators or indexes,
// walks over everything it has at each record, and computes each value again from the events of its
// window, sums exactly. If the engine may differ in the last bits, a Value is a range that holds
// every allowed answer.
//
//	d := foldtest.New(definition)
//	d.Event(foldtest.At{Append: 5, LogTime: 7}, event)
//	d.Advance(20_000)
//	cells := d.Cells()
package foldtest

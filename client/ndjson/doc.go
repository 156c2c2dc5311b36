// Package ndjson reads a file of JSON values as a stream, of any size, in bounded memory: one value
// a line, arrays of values, values over several lines, one after another, in any mixture. It finds
// where a value begins and ends; the caller decides whether it is valid JSON and an event.
//
//	r := ndjson.New(lines.New(text))
//	for {
//		v, err := r.Next() // io.EOF at the end; a *BadValue costs one value
//		…
//	}
//
// A broken value costs as little as possible: one line where a line is a value; otherwise the lines
// up to the next one that begins a value at the same indentation.
package ndjson

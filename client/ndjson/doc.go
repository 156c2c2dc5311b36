// Package ndjson reads a file of JSON values as a stream, of any size, in bounded memory: a value a
// line, arrays of values, values laid out over several lines, one after another, in any mixture. It
// finds where a value begins and ends; whether it is good JSON and an event is its reader's to say.
//
//	r := ndjson.New(lines.New(text))
//	for {
//		v, err := r.Next() // io.EOF at the end; a *BadValue costs one value
//		…
//	}
//
// What is broken costs as little as can be told: a line where a line is a value; else the lines up
// to the next one that begins a value at the same indentation.
package ndjson

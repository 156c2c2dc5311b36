// Package lines reads text files of events in the forms that users have: it unpacks them (gzip,
// zstd, bzip2), decodes them to UTF-8, and cuts them into numbered lines of bounded length.
//
//	text, err := lines.Open(file, "latin1")
//	r := lines.New(text)
//	for {
//		line, err := r.Line() // io.EOF at the end; ErrTooLong costs its line only
//		…
//	}
//
// A line ends with \n or \r\n, or with \r in a file whose first line does. Bytes that can't be
// decoded stay bytes that are not UTF-8, which Check finds: nothing is replaced, so that two texts
// never become one.
package lines

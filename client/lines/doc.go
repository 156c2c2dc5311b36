// Package lines reads text files of events as they come: unpacked (gzip, zstd, bzip2), decoded to
// UTF-8, and cut into numbered lines of bounded length.
//
//	text, err := lines.Open(file, "latin1")
//	r := lines.New(text)
//	for {
//		line, err := r.Line() // io.EOF at the end; ErrTooLong costs its line only
//		…
//	}
//
// A line ends with \n, \r\n, or, in a file whose first line does, with \r. What can't be decoded is
// left as bytes that are not UTF-8, for Check to find: nothing is replaced, so that two texts never
// become one.
package lines

package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/client/lines"
	"github.com/dashfeed/dashfeed/messages/event"
)

// The formats that publish reads.
const (
	formatNDJSON = "ndjson"
	formatCSV    = "csv"
	formatTSV    = "tsv"
)

// chooseFormat returns the format that the flags or the file's name tell.
func (c *publishCommand) chooseFormat() (format, error) {
	options, err := c.fileOptions()
	if err != nil {
		return nil, err
	}
	route := event.Route{Tenant: c.Tenant, Dashboard: c.Dashboard}
	var f format = &ndjsonFormat{options: options, ids: "~", route: route}
	if kind := c.kind(); kind != formatNDJSON {
		if kind == formatTSV && c.Delimiter == "" {
			options.Comma = '\t'
		}
		if f, err = c.csvFormat(options, route); err != nil {
			return nil, err
		}
	} else if len(c.Map) > 0 || c.MapFile != "" || c.Delimiter != "" || c.Decimal != "" {
		return nil, usage("%s is NDJSON: --map, --map-file, --delimiter and --decimal are for CSV (--format csv)", c.File)
	}
	if c.Sort {
		f = &sortedFormat{format: f, limit: sortBytes}
	}
	return f, nil
}

// kind returns the name of the format.
func (c *publishCommand) kind() string {
	name := lines.UnpackedName(c.File)
	switch {
	case c.Format != "":
		return c.Format
	case strings.HasSuffix(name, ".tsv"), strings.HasSuffix(name, ".tab"):
		return formatTSV
	case strings.HasSuffix(name, ".csv"), len(c.Map) > 0, c.MapFile != "":
		return formatCSV
	}
	return formatNDJSON
}

// fileOptions returns how to read the texts of the file.
func (c *publishCommand) fileOptions() (o csv.Options, err error) {
	o = csv.Options{File: c.File, TimeFormat: c.TimeFormat, Null: strings.Split(c.Null, ",")}
	if c.TimeZone != "" {
		if o.Zone, err = time.LoadLocation(c.TimeZone); err != nil {
			return o, usage("time zone %q is not known: %w", c.TimeZone, err)
		}
	}
	if known := append([]string{""}, lines.Encodings...); !slices.Contains(known, strings.ToLower(c.Encoding)) {
		return o, usage("encoding %q is not known: %s", c.Encoding, strings.Join(lines.Encodings, ", "))
	}
	switch c.Decimal {
	case "", ".":
	case ",":
		o.Decimal = ','
	default:
		return o, usage("decimal %q is not allowed: . or ,", c.Decimal)
	}
	switch mark, size := utf8.DecodeRuneInString(c.Delimiter); {
	case c.Delimiter == "":
	case c.Delimiter == "tab" || c.Delimiter == `\t`:
		o.Comma = '\t'
	case size < len(c.Delimiter) || mark == utf8.RuneError || strings.ContainsRune("\"\r\n", mark):
		return o, usage("delimiter %q is not allowed: one character, but no quote or line break, or the word tab", c.Delimiter)
	default:
		o.Comma = mark
	}
	if o.Decimal == ',' && cmp.Or(o.Comma, ',') == ',' {
		return o, usage("with --decimal , the columns need another delimiter, such as --delimiter ';'")
	}
	return o, nil
}

func (c *publishCommand) csvFormat(options csv.Options, route event.Route) (format, error) {
	f := &csvFormat{options: options, route: route}
	if len(c.Map) > 0 {
		m, err := csv.ParseMapping(c.Map)
		if err != nil {
			return nil, usage("%w", err)
		}
		f.mappings = append(f.mappings, m)
	}
	if c.MapFile != "" {
		text, err := os.Open(c.MapFile)
		if err != nil {
			return nil, usage("%w", err)
		}
		defer text.Close()
		ms, err := csv.ReadMappings(c.MapFile, text)
		if err != nil {
			return nil, usage("%w", err)
		}
		f.mappings = append(f.mappings, ms...)
	}
	if len(f.mappings) == 0 {
		return nil, usage("%s is CSV or TSV: --map or --map-file says what its columns are, such as --map dashboard==sales --map metric==price --map value=price --map time=time", c.File)
	}
	return f, nil
}

// remarkOn returns why a dashboard will judge an event invalid, or what its sender can't mean.
func remarkOn(e *event.Event) string {
	switch e.ValueStatus {
	case event.Missing:
		return "have no value"
	case event.Type:
		return "have a value that is not a number"
	case event.Range:
		return "have a value that is not finite"
	}
	hint := ""
	switch e.TimeHint {
	case event.NoHint:
	case event.WithoutZone:
		hint = ": they name no zone, and --time-zone says which one is meant"
	case event.InSeconds:
		hint = ": these are likely seconds, which --time-format s reads"
	default:
		hint = ": these are likely " + e.TimeHint.String()
	}
	switch {
	case e.TimeStatus == event.Type:
		return "have a time that is neither ms nor RFC 3339" + hint
	case e.TimeStatus == event.Range:
		return "have a time that is out of range" + hint
	case e.TimeStatus == event.OK && e.Time < year1990:
		return "have a time before 1990" + hint
	case hint != "":
		return "have a time far from now" + hint
	}
	return ""
}

// year1990 is earlier than the times that people publish on dashboards.
const year1990 = 631_152_000_000

// describe makes an outgoing event of one that was read. The error is a *event.Refusal.
func describe(route event.Route, e *event.Event) (outgoing, error) {
	key, err := route.Key(e)
	if err != nil {
		return outgoing{}, err
	}
	// they alias the buffer of the next event
	key.Tenant, key.Dashboard = strings.Clone(key.Tenant), strings.Clone(key.Dashboard)
	return outgoing{key: key, ms: e.Time, timed: e.TimeStatus == event.OK, remark: remarkOn(e), invented: strings.HasPrefix(e.ID, "~")}, nil
}

// refusedAt returns a refusal as a badInput with its place.
func refusedAt(file string, line int, err error) *badInput {
	reason := event.ReasonMalformed
	message := err.Error()
	if r, ok := err.(*event.Refusal); ok {
		reason, message = r.Reason, r.Message
	}
	return &badInput{reason, fmt.Errorf("%s:%d: %s: %s", file, line, reason, message)}
}

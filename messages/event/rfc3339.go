package event

// parseRFC3339 reads an RFC 3339 time, rounded down to the millisecond. It is as strict as Go's
// time.UnmarshalText, but allocates nothing for an offset and accepts t and z in lower case, as the
// RFC does.
func parseRFC3339(s string) (ms int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	year, a := number(s[0:4])
	month, b := number(s[5:7])
	day, c := number(s[8:10])
	hour, d := number(s[11:13])
	minute, e := number(s[14:16])
	second, f := number(s[17:19])
	if !(a && b && c && d && e && f) || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	ms, rest, ok := fraction(s[19:])
	if !ok {
		return 0, false
	}
	offset, ok := zone(rest)
	if !ok {
		return 0, false
	}
	return ((daysSince1970(year, month, day)*24+hour)*60+minute-offset)*60_000 + second*1000 + ms, true
}

// fraction reads .123456 as whole milliseconds, and nothing as 0.
func fraction(s string) (ms int64, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i, unit := 1, int64(100)
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		ms += int64(s[i]-'0') * unit
		unit /= 10
	}
	return ms, s[i:], i > 1
}

// zone reads Z or +01:30 as minutes east of UTC.
func zone(s string) (minutes int64, ok bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, a := number(s[1:3])
	minute, b := number(s[4:6])
	if !a || !b || hour > 23 || minute > 59 {
		return 0, false
	}
	minutes = hour*60 + minute
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, true
}

func number(s string) (n int64, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts with years that begin in March, so that a leap day is the last day of its
// year.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = -1 // the year is at least -1: January of the year 0
	}
	inEra := year - era*400
	inYear := (153*(month-3)+2)/5 + day - 1
	return era*146_097 + inEra*365 + inEra/4 - inEra/100 + inYear - 719_468
}

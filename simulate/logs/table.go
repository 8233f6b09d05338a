package logs

import (
	"slices"
	"strconv"
	"strings"
)

// table reads CSV or TSV with a header.
type table struct {
	format Format
	comma  byte
	counts bool // a line is a number of requests
	stamps stamps
	header []string
	places found
}

func (t *table) parse(r *Record, line string) (is bool, wrong *LineError) {
	cells, ok := t.split(line)
	if !ok {
		return true, fault("a quote is not closed", line, "a second one in the same line")
	}
	if slices.Equal(cells, t.header) { // of this file, or of files that were joined
		return false, nil
	}
	r.names, r.values = t.header[:min(len(t.header), len(cells))], cells[:min(len(t.header), len(cells))]
	wrong = r.fill(&t.stamps, &t.places)
	if t.counts && !r.At.IsZero() {
		if w := t.count(r); w != nil {
			return true, w
		}
	}
	if len(t.format.Columns) > 0 {
		r.alias(t.format)
	}
	if wrong == nil && len(cells) != len(t.header) {
		wrong = fault("the number of columns is not the header's", strconv.Itoa(len(cells)), strconv.Itoa(len(t.header)))
	}
	return true, wrong
}

// count reads how many requests a line of counts stands for.
func (t *table) count(r *Record) *LineError {
	text := ""
	if i := t.places[roleCount]; i >= 0 && i < len(r.values) {
		text = strings.TrimSpace(r.values[i])
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n > 1e12 || n != float64(int(n)) {
		*r = Record{Line: r.Line} // how many requests are lost is not known
		return fault("the count cannot be read", text, "a whole number, 0 or more")
	}
	r.Count, r.counted, r.told = int(n), true, new([]string)
	return nil
}

// split cuts a line at its commas. In quotes there may be more of them, and "" is a quote.
func (t *table) split(line string) (cells []string, ok bool) {
	if t.comma == '\t' || strings.IndexByte(line, '"') < 0 {
		cells = strings.Split(line, string(t.comma))
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		return cells, true
	}
	for {
		line = strings.TrimLeft(line, " ")
		if !strings.HasPrefix(line, `"`) {
			cell, rest, more := strings.Cut(line, string(t.comma))
			cells = append(cells, strings.TrimSpace(cell))
			if !more {
				return cells, true
			}
			line = rest
			continue
		}
		end := 1
		for {
			i := strings.IndexByte(line[end:], '"')
			if i < 0 {
				return nil, false
			}
			if end += i + 1; end >= len(line) || line[end] != '"' {
				break
			}
			end++
		}
		cells = append(cells, strings.ReplaceAll(line[1:end-1], `""`, `"`))
		rest := strings.TrimLeft(line[end:], " ")
		if rest == "" {
			return cells, true
		}
		if rest[0] != t.comma {
			return nil, false
		}
		line = rest[1:]
	}
}

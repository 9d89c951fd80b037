package stdout

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

// column is one of an activity's first line. It begins narrow and widens with what comes, to at most most, so that lines
// align although nobody knows the next one.
type column struct{ width, most int }

func (c *column) fit(width int) int {
	if width <= c.most { // one that is wider still would be alone with it
		c.width = max(c.width, width)
	}
	return c.width
}

// line writes the lines of one activity, and knows how far it has come.
type line struct {
	dst     []byte
	colour  bool
	at      int // columns written
	pending int // spaces to write before anything else: a line does not end in spaces
	stop    int // where the column at hand ought to begin
}

func (l *line) space(n int) { l.pending += n }

// put writes s, which is visible.
func (l *line) put(look style, s string) { l.putWidth(look, s, columns(s)) }

func (l *line) putWidth(look style, s string, width int) {
	for ; l.pending > 0; l.pending-- {
		l.dst = append(l.dst, ' ')
		l.at++
	}
	if l.colour && look != plain {
		l.dst = append(l.dst, look...)
		l.dst = append(l.dst, s...)
		l.dst = append(l.dst, reset...)
	} else {
		l.dst = append(l.dst, s...)
	}
	l.at += width
}

func (l *line) end() {
	l.dst = append(l.dst, '\n')
	l.at, l.pending = 0, 0
}

// column lets write fill a column, and moves to the next. What is too wide moves those behind it no further than it must.
func (l *line) column(c *column, write func()) {
	begin := l.at + l.pending
	write()
	end := l.at + l.pending
	l.stop += c.fit(end-begin) + 2
	l.space(max(l.stop-end, 2))
}

// word writes an id, a name from code, a key: in quotes only if it is more than one plain word.
func (l *line) word(look style, s string) {
	if !isPlain(s) {
		l.quote(look, s, maxWord)
		return
	}
	s, width := visible(s, maxWord, false)
	l.putWidth(look, s, width)
}

// quote writes free text. The quotes within it are escaped, so that no text can pass for another column.
func (l *line) quote(look style, s string, limit int) {
	s, width := visible(s, limit, true)
	l.putWidth(look, `"`+s+`"`, width+2)
}

// list writes a line of n items, or of the first most, that begins with label; it goes on in further lines.
func (l *line) list(label string, n, most int, item func(i int)) {
	if n == 0 {
		return
	}
	l.space(indent + 2)
	l.put(dim, label)
	for i := range min(n, most) {
		if l.at > wrapAt {
			l.end()
			l.space(indent + 2 + len(label))
		}
		l.space(2)
		item(i)
	}
	if n > most {
		l.put(dim, fmt.Sprintf("  %c and %d more", ellipsis, n-most))
	}
	l.end()
}

// value writes an attribute's value: strings in quotes, slices and maps as JSON.
func (l *line) value(look style, v attribute.Value) {
	switch v.Type() {
	case attribute.EMPTY:
		l.put(dim, "none")
	case attribute.STRING:
		if v.AsString() == otelaudit.Redacted {
			l.put(dim, "***")
			return
		}
		l.quote(look, v.AsString(), maxValue)
	case attribute.FLOAT64:
		l.put(look, float(v.AsFloat64()))
	default:
		s, width := visible(v.String(), maxValue, false)
		l.putWidth(look, s, width)
	}
}

// float is f such that a whole number is not taken for an integer.
func float(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") && !math.IsInf(f, 0) && !math.IsNaN(f) {
		s += ".0"
	}
	return s
}

//go:build unix

package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/rj-gamer/go-activity-tracker/trail"
)

// lines is a sink that keeps the order in which it gets records: a line with the number of each, at the end of a file. A kill
// loses nothing of what was written.
type lines struct{ file *os.File }

var _ trail.BatchExporter = (*lines)(nil)

const lifePrefix = "life "

// openLines appends to the file. Each life begins with a line of its own, in front of which a kill may have left half a line.
func openLines(path string, life int) (*lines, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(f, "\n%s%d\n", lifePrefix, life)
	return &lines{f}, err
}

// ExportBatch writes the numbers of b's records in one write.
func (l *lines) ExportBatch(_ context.Context, b *trail.Batch) error {
	var text []byte
	for _, r := range b.Records {
		if n, ok := numberIn(r); ok {
			text = append(strconv.AppendInt(text, int64(n), 10), '.', '\n') // a number that was cut off has no dot
		}
	}
	_, err := l.file.Write(text)
	return err
}

func (l *lines) Export(context.Context, []sdklog.Record) error {
	return errors.New("lines: the trail gives batches")
}

func (l *lines) ForceFlush(context.Context) error { return nil }
func (l *lines) Shutdown(context.Context) error   { return l.file.Close() }

// readLines returns what each life wrote.
func readLines(path string) ([]section, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var sections []section
	cut := "" // a line that is no number must be the last one of its life
	for line := range bytes.Lines(file) {
		text := strings.TrimSuffix(string(line), "\n")
		if life, ok := strings.CutPrefix(text, lifePrefix); ok {
			n, err := strconv.Atoi(life)
			if err != nil {
				return nil, fmt.Errorf("lines: %q", text)
			}
			sections, cut = append(sections, section{life: n}), ""
			continue
		}
		digits, whole := strings.CutSuffix(text, ".")
		n, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case text == "":
		case cut != "":
			return nil, fmt.Errorf("lines: %q is followed by %q", cut, text)
		case err != nil || !whole:
			cut = text
		default:
			last := &sections[len(sections)-1]
			last.numbers = append(last.numbers, number(n))
		}
	}
	return sections, nil
}

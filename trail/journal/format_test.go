package journal

import (
	"bytes"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the dump in docs/journal-format.md")

const document = "../../docs/journal-format.md"

// The document's worked example is what the code writes, byte for byte.
func TestTheDocumentsDump(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), "<!-- dump -->\n")
	require.True(t, found)
	_, after, found := strings.Cut(rest, "<!-- end of dump -->")
	require.True(t, found)
	want := before + "<!-- dump -->\n" + example(t) + "<!-- end of dump -->" + after
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(text), "run go test -run TestTheDocumentsDump -update, and read the difference")
}

// example writes a small journal with a fixed clock and salt, and dumps it frame by frame.
func example(t *testing.T) string {
	t.Helper()
	s := newSimFS()
	config := small(s)
	config.NoAppend = false
	config.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC) }
	config.random = bytes.NewReader([]byte("sixteen of salt."))
	j, err := Open(config)
	require.NoError(t, err)
	r, err := j.Reader("pg", Required)
	require.NoError(t, err)
	_, err = j.Append(context.Background(), []byte("hello"), []byte("journal"))
	require.NoError(t, err)
	records, err := r.Next(context.Background(), 1, 1)
	require.NoError(t, err)
	require.NoError(t, r.Commit(records[0].Seq))
	r.Close()
	require.NoError(t, j.Close())

	files := s.contents("/var/audit")
	b := files[segmentPath("/var/audit", 1)]
	h, _, err := decodeHeader(b)
	require.NoError(t, err)
	var out strings.Builder
	dump := func(title string, off, end int) {
		fmt.Fprintf(&out, "%s\n\n```text\n%s```\n\n", title, hexDump(b, off, end))
	}
	out.WriteString("\n")
	dump("`0000000000000001.segment`, the header; its copy at 0x200 is the same:", 0, headerSize)
	names := map[frameType]string{recordFrame: "record", commitFrame: "commit"}
	for off := dataStart; off < len(b); {
		f, ok := decodeFrame(b[off:], h.seed())
		if !ok {
			require.Empty(t, bytes.TrimLeft(b[off:], "\x00"))
			break
		}
		p, intact := f.payload(b[off:])
		require.True(t, intact)
		title := fmt.Sprintf("a %s, number %d:", names[f.typ], f.seq)
		if c, ok := decodeCommit(p); ok && f.typ == commitFrame && c.count == 0 {
			title = fmt.Sprintf("a mark, a commit of no records: all up to %d is on disk:", c.mark)
		}
		dump(title, off, off+frameSize(f.length))
		off += frameSize(f.length)
	}
	b = files[cursorPath("/var/audit", "pg")]
	dump("`pg.cursor`, its first slot:", 0, slotSize)
	dump("and its second, which was written when record 1 was delivered, or the first was; the higher turn counts:", slotSize, 2*slotSize)
	return out.String()
}

// hexDump prints bytes as hexdump -C does, a run of zero lines as a star.
func hexDump(b []byte, off, end int) string {
	var out strings.Builder
	zero := false
	for ; off < end; off += 16 {
		line := b[off:min(off+16, end)]
		was := zero
		if zero = len(bytes.TrimLeft(line, "\x00")) == 0; zero && was {
			if !strings.HasSuffix(out.String(), "*\n") {
				out.WriteString("*\n")
			}
			continue
		}
		cells := hex.EncodeToString(line)
		var spaced []string
		for i := 0; i < len(cells); i += 2 {
			spaced = append(spaced, cells[i:i+2])
		}
		text := bytes.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, line)
		fmt.Fprintf(&out, "%08x  %-47s  |%s|\n", off, strings.Join(spaced, " "), text)
	}
	return out.String()
}

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// all are the entries of r as text, the last of them its error.
func all(r io.Reader) []string {
	var found []string
	for e, err := range entries(r) {
		switch {
		case err != nil:
			found = append(found, err.Error())
		case e.err != nil:
			found = append(found, fmt.Sprintf("%s: %v", e.where(), e.err))
		default:
			found = append(found, fmt.Sprintf("%s: %s", e.where(), e.json))
		}
	}
	return found
}

func compressed(t *testing.T, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(part))
		require.NoError(t, err)
		require.NoError(t, z.Close())
	}
	return b.String()
}

func TestEntries(t *testing.T) {
	t.Parallel()
	document := "{\n \"Records\": [\n{\"a\": 1},\n {\"a\": [2]}\n]\n}\n"
	short := compressed(t, strings.Repeat("{\"a\":1}\n", 10))
	for name, tc := range map[string]struct {
		file string
		want []string
	}{
		"empty":                          {"", nil},
		"lines":                          {"{\"a\":1}\r\n\n  \n {\"a\":2}", []string{`line 1: {"a":1}`, `line 4: {"a":2}`}},
		"lines that are no JSON":         {"x\n{\"a\":2}\n", []string{"line 1: x", `line 2: {"a":2}`}},
		"line of another kind":           {"{\"Records\": 1}", []string{`line 1: {"Records": 1}`}},
		"document":                       {document, []string{`line 3, record 1: {"a": 1}`, `line 4, record 2: {"a": [2]}`}},
		"documents":                      {document + `{"Records":[]}{"Records":[3]}`, []string{`line 3, record 1: {"a": 1}`, `line 4, record 2: {"a": [2]}`, "line 7, record 1: 3"}},
		"documents over lines":           {document + document, []string{`line 3, record 1: {"a": 1}`, `line 4, record 2: {"a": [2]}`, `line 9, record 1: {"a": 1}`, `line 10, record 2: {"a": [2]}`}},
		"document with more":             {`{"A":{"Records":[0]},"Records":[1],"NextToken":"z"}`, []string{"line 1, record 1: 1"}},
		"document and no other":          {`{"Records":[1]}{"a":1}`, []string{"line 1, record 1: 1", "line 1, record 2: no document of CloudTrail: it has no Records"}},
		"document and a brace":           {`{"Records":[1]}}`, []string{"line 1, record 1: 1", "line 1, record 2: invalid character '}' looking for beginning of value"}},
		"document, cut off":              {document[:30], []string{`line 3, record 1: {"a": 1}`, "line 4, record 2: unexpected EOF"}},
		"document, cut off early":        {`{"Records":`, []string{`line 1: {"Records":`}},
		"document, broken":               {`{"Records":[1,}]}`, []string{"line 1, record 1: 1", "line 1, record 2: invalid character '}' looking for beginning of value"}},
		"document over lines, with more": {"\n{\n\"NextToken\": \"z\",\n\"Records\": [1],\n\"More\": [2]\n}\n", []string{"line 4, record 1: 1"}},
		"document over lines, broken":    {"{\"Records\":[\n1,\n}]}\n2\n", []string{"line 2, record 1: 1", "line 3, record 2: invalid character '}' looking for beginning of value"}},
		"documents, a line each": {
			"{\"Records\":[1,2]}\n{\"Records\":[3,}]}\n{\"Records\":[4,\n{\"More\":1,\"Records\":[5]}",
			[]string{
				"line 1, record 1: 1", "line 1, record 2: 2",
				"line 2, record 1: 3", "line 2, record 2: invalid character '}' looking for beginning of value",
				"line 3, record 1: 4", "line 3, record 2: unexpected EOF", "line 4, record 1: 5",
			},
		},
		"documents, the first broken": {"{\"Records\":[1,}]}\n{\"Records\":[2]}", []string{"line 1, record 1: 1", "line 1, record 2: invalid character '}' looking for beginning of value", "line 2, record 1: 2"}},
		"events and documents":        {"{\"a\":1}\n{\"Records\":[2]}\nx\n{\"a\":\"\\\"Records\\\"\"}", []string{`line 1: {"a":1}`, "line 2, record 1: 2", "line 3: x", `line 4: {"a":"\"Records\""}`}},
		"document longer than a line may be": {
			`{"Records":[1` + strings.Repeat(" ", maxLine) + ",2]}\n3\n",
			[]string{"line 1, record 1: 1", "line 1, record 2: 2", "line 2: 3"},
		},
		"byte order mark":               {"\ufeff1\n2\n", []string{"line 1: 1", "line 2: 2"}},
		"byte order mark of a document": {compressed(t, "\ufeff"+`{"Records":[1]}`), []string{"line 1, record 1: 1"}},
		"gzip":                          {compressed(t, "1\n2\n"), []string{"line 1: 1", "line 2: 2"}},
		"gzip of several parts":         {compressed(t, "1\n", "2\n"), []string{"line 1: 1", "line 2: 2"}},
		"gzip of a document":            {compressed(t, document), []string{`line 3, record 1: {"a": 1}`, `line 4, record 2: {"a": [2]}`}},
		"gzip, cut off early":           {short[:8], []string{"unexpected EOF"}},
		"gzip, cut off":                 {compressed(t, "1\n")[:20], []string{"line 1: 1", "line 2: unexpected EOF"}},
		"line too long": {
			strings.Repeat("x", maxLine+2*bufferSize) + "\n2\n",
			[]string{fmt.Sprintf("line 1: longer than %d bytes", maxLine), "line 2: 2"},
		},
		"line as long as may be": {
			strings.Repeat(" ", bufferSize) + strings.Repeat("x", maxLine-bufferSize-1) + "\n2\n",
			[]string{"line 1: " + strings.Repeat("x", maxLine-bufferSize-1), "line 2: 2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, all(strings.NewReader(tc.file)))
			require.Equal(t, tc.want, all(iotest.HalfReader(strings.NewReader(tc.file))))
		})
	}
}

func TestEntriesOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken disk")
	for file, want := range map[string][]string{
		"":               {"line 1: broken disk"},
		"1\n2":           {"line 1: 1", "line 2: broken disk"}, // the 2 may be the beginning of 20
		`{"Records":[1,`: {"line 1, record 1: 1", "line 1, record 2: broken disk"},
	} {
		require.Equal(t, want, all(io.MultiReader(strings.NewReader(file), iotest.ErrReader(broken))), file)
	}
}

func TestEntriesUntilEnough(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"1\n2\n", `{"Records":[1,2]}`} {
		for e, err := range entries(strings.NewReader(file)) {
			require.NoError(t, err)
			require.Equal(t, 1, e.line)
			break
		}
	}
}

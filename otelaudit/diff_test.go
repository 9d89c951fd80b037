package otelaudit_test

import (
	"crypto/x509/pkix"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

var (
	str    = attribute.StringValue
	num    = attribute.Int64Value
	none   = attribute.Value{}
	hidden = attribute.StringValue(otelaudit.Redacted)
)

func changed(field string, old, now attribute.Value) otelaudit.Change {
	return otelaudit.Change{Field: field, Old: old, New: now}
}

type author struct {
	Name  string `audit:"track" json:"name"`
	Email string `audit:"sensitive"`
	Notes string
}

type article struct {
	Title    string    `audit:"track" json:"title,omitempty"`
	Dashed   string    `audit:"track" json:"-"`
	NoName   string    `audit:"track" json:",omitempty"`
	Body     string    `audit:"sensitive" json:"body"`
	By       *author   `audit:"track" json:"by"`
	Editors  []author  `audit:"track"`
	Updated  time.Time `audit:"track"`
	Token    string
	internal string
}

func TestDiff(t *testing.T) {
	t.Parallel()
	base := article{
		Title: "T", Body: "B", By: &author{Name: "ana", Email: "a@x", Notes: "n"}, Editors: []author{{Name: "e", Email: "e@x", Notes: "n"}},
		Updated: noon, Token: "t", internal: "i",
	}
	for name, tc := range map[string]struct {
		change func(a *article)
		want   otelaudit.Changes
	}{
		"nothing":              {func(*article) {}, nil},
		"tracked":              {func(a *article) { a.Title = "U" }, otelaudit.Changes{changed("title", str("T"), str("U"))}},
		"json:\"-\"":           {func(a *article) { a.Dashed = "x" }, otelaudit.Changes{changed("Dashed", str(""), str("x"))}},
		"no json name":         {func(a *article) { a.NoName = "x" }, otelaudit.Changes{changed("NoName", str(""), str("x"))}},
		"sensitive":            {func(a *article) { a.Body = "C" }, otelaudit.Changes{changed("body", hidden, hidden)}},
		"untagged":             {func(a *article) { a.Token, a.internal = "x", "x" }, nil},
		"untagged within":      {func(a *article) { a.By = &author{Name: "ana", Email: "a@x", Notes: "m"}; a.Editors[0].Notes = "m" }, nil},
		"nested":               {func(a *article) { a.By = &author{Name: "bo", Email: "a@x"} }, otelaudit.Changes{changed("by.name", str("ana"), str("bo"))}},
		"nested and sensitive": {func(a *article) { a.By = &author{Name: "ana", Email: "x"} }, otelaudit.Changes{changed("by.Email", hidden, hidden)}},
		"another pointer":      {func(a *article) { b := *a.By; a.By = &b }, nil},
		"nested, gone": {func(a *article) { a.By = nil }, otelaudit.Changes{
			changed("by.Email", hidden, none), changed("by.name", str("ana"), none),
		}},
		"in a list": {func(a *article) { a.Editors[0].Name = "f" }, otelaudit.Changes{changed("Editors",
			attribute.SliceValue(attribute.MapValue(attribute.String("name", "e"), attribute.String("Email", otelaudit.Redacted))),
			attribute.SliceValue(attribute.MapValue(attribute.String("name", "f"), attribute.String("Email", otelaudit.Redacted))))}},
		"sensitive in a list": {func(a *article) { a.Editors[0].Email = "f" }, otelaudit.Changes{changed("Editors",
			attribute.SliceValue(attribute.MapValue(attribute.String("name", "e"), attribute.String("Email", otelaudit.Redacted))),
			attribute.SliceValue(attribute.MapValue(attribute.String("name", "e"), attribute.String("Email", otelaudit.Redacted))))}},
		"a list, gone": {func(a *article) { a.Editors = nil }, otelaudit.Changes{changed("Editors",
			attribute.SliceValue(attribute.MapValue(attribute.String("name", "e"), attribute.String("Email", otelaudit.Redacted))), none)}},
		"the same instant": {func(a *article) { a.Updated = noon.In(time.FixedZone("", 3600)) }, nil},
		"another instant": {func(a *article) { a.Updated = noon.Add(time.Nanosecond) }, otelaudit.Changes{changed("Updated",
			str("2026-03-01T12:00:00Z"), str("2026-03-01T12:00:00.000000001Z"))}},
		"sorted": {func(a *article) { a.Title, a.NoName, a.Body = "x", "x", "x" }, otelaudit.Changes{
			changed("NoName", str(""), str("x")), changed("body", hidden, hidden), changed("title", str("T"), str("x")),
		}},
	} {
		after := base
		after.Editors = append([]author(nil), base.Editors...)
		tc.change(&after)
		require.Equal(t, tc.want, otelaudit.Diff(base, after), name)
		require.Equal(t, tc.want, otelaudit.Diff(&base, &after), "%s, of pointers", name)
		require.Equal(t, tc.want, otelaudit.Diff[any](base, &after), "%s, of interfaces", name)
	}
}

func TestDiffCreatedAndDeleted(t *testing.T) {
	t.Parallel()
	type thing struct {
		N     int      `audit:"track"`
		Pin   string   `audit:"sensitive"`
		Owner *author  `audit:"track"`
		Tags  []string `audit:"track"`
	}
	v := &thing{N: 1, Tags: []string{}}
	created := otelaudit.Changes{
		changed("N", none, num(1)), changed("Pin", none, hidden), changed("Tags", none, attribute.SliceValue()),
	}
	require.Equal(t, created, otelaudit.Diff(nil, v), "what is nil on both sides is no change")
	require.Equal(t, otelaudit.Changes{
		changed("N", num(1), none), changed("Pin", hidden, none), changed("Tags", attribute.SliceValue(), none),
	}, otelaudit.Diff(v, nil))
	require.Nil(t, otelaudit.Diff[*thing](nil, nil))
	require.Nil(t, otelaudit.Diff[any](nil, nil))
	require.Equal(t, created, otelaudit.Diff[any]((*thing)(nil), v))
}

// The kinds of values, each as it is recorded.

type (
	level    uint8
	masked   string
	byValue  struct{ n int }
	byRef    struct{ n int }
	both     struct{ s string }
	broken   struct{ s string }
	panics   struct{ p *int }
	bytesID  [2]byte
	counting int
)

func (l level) String() string                  { return [...]string{"low", "high"}[l] }
func (masked) String() string                   { return "***" }
func (b byValue) String() string                { return fmt.Sprint("value ", b.n) }
func (b *byRef) String() string                 { return fmt.Sprint("ref ", b.n) }
func (b both) MarshalText() ([]byte, error)     { return []byte("text " + b.s), nil }
func (both) String() string                     { return "string" }
func (broken) MarshalText() ([]byte, error)     { return nil, errors.New("broken") }
func (b broken) String() string                 { return "string " + b.s }
func (p panics) String() string                 { return fmt.Sprint(*p.p) }
func (b *bytesID) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", b[:]), nil }
func (c counting) String() string               { return "some" }

func TestDiffValues(t *testing.T) {
	t.Parallel()
	one := 1
	for name, tc := range map[string]struct {
		v    any
		want attribute.Value
	}{
		"bool":                     {true, attribute.BoolValue(true)},
		"int8":                     {int8(-1), num(-1)},
		"uint64":                   {uint64(math.MaxInt64), num(math.MaxInt64)},
		"uint64, too large":        {uint64(math.MaxUint64), str("18446744073709551615")},
		"float32":                  {float32(0.5), attribute.Float64Value(0.5)},
		"negative zero":            {math.Copysign(0, -1), attribute.Float64Value(math.Copysign(0, -1))},
		"complex":                  {complex(1, -2), str("(1-2i)")},
		"string":                   {"x", str("x")},
		"named string":             {json.Number("12"), str("12")},
		"bytes":                    {[]byte{1, 2}, attribute.ByteSliceValue([]byte{1, 2})},
		"array of bytes":           {[2]byte{1, 2}, attribute.ByteSliceValue([]byte{1, 2})},
		"named bytes":              {json.RawMessage("{}"), attribute.ByteSliceValue([]byte("{}"))},
		"list of named bytes":      {[]level{0, 1}, attribute.SliceValue(str("low"), str("high"))},
		"array of named bytes":     {[1]level{1}, attribute.SliceValue(str("high"))},
		"list":                     {[]int{1, 2}, attribute.SliceValue(num(1), num(2))},
		"empty list":               {[]int{}, attribute.SliceValue()},
		"nil list":                 {[]int(nil), none},
		"list of anything":         {[]any{1, "a", nil, 1.5}, attribute.SliceValue(num(1), str("a"), none, attribute.Float64Value(1.5))},
		"map":                      {map[string]int{"b": 2, "a": 1}, attribute.MapValue(attribute.Int("a", 1), attribute.Int("b", 2))},
		"nil map":                  {map[string]int(nil), none},
		"map by number":            {map[int]bool{7: true}, attribute.MapValue(attribute.Bool("7", true))},
		"map by text":              {map[level]int{1: 2}, attribute.MapValue(attribute.Int("high", 2))},
		"map by address":           {map[netip.Addr]int{netip.MustParseAddr("::1"): 2}, attribute.MapValue(attribute.Int("::1", 2))},
		"map by anything":          {map[any]int{nil: 1, "a": 2, 3: 3}, attribute.MapValue(attribute.Int("", 1), attribute.Int("a", 2), attribute.Int("3", 3))},
		"map by struct":            {map[author]int{{Name: "ana", Email: "a@x", Notes: "n"}: 1}, attribute.MapValue(attribute.Int(`{"Email":"***REDACTED***","name":"ana"}`, 1))},
		"map by pointer to struct": {map[*author]int{{Name: "ana", Email: "a@x", Notes: "n"}: 1}, attribute.MapValue(attribute.Int(`{"Email":"***REDACTED***","name":"ana"}`, 1))},
		"pointer":                  {&one, num(1)},
		"nil pointer":              {(*int)(nil), none},
		"time":                     {noon, str("2026-03-01T12:00:00Z")},
		"pointer to time":          {&noon, str("2026-03-01T12:00:00Z")},
		"duration":                 {90 * time.Second, str("1m30s")},
		"address":                  {netip.MustParseAddr("192.0.2.1"), str("192.0.2.1")},
		"big":                      {big.NewInt(5), str("5")},
		"big by value":             {*big.NewInt(5), str("5")},
		"Stringer":                 {byValue{1}, str("value 1")},
		"pointer to Stringer":      {&byValue{1}, str("value 1")},
		"nil pointer to Stringer":  {(*byValue)(nil), none},
		"Stringer by reference":    {byRef{1}, str("ref 1")},
		"both":                     {both{"a"}, str("text a")},
		"MarshalText fails":        {broken{"a"}, str("string a")},
		"String panics":            {panics{}, attribute.MapValue()},
		"array with a text":        {bytesID{0xab, 0xcd}, str("abcd")},
		"struct without tags":      {struct{ A int }{1}, attribute.MapValue()},
		"func":                     {func() {}, str("***func***")},
		"chan":                     {make(chan int), str("***chan***")},
	} {
		type holder struct {
			V any `audit:"track"`
		}
		changes := otelaudit.Diff(holder{}, holder{tc.v})
		if tc.want == none {
			require.Empty(t, changes, name)
			continue
		}
		require.Len(t, changes, 1, name)
		require.Equal(t, changed("V", none, tc.want), changes[0], name)
		require.Empty(t, otelaudit.Diff(holder{tc.v}, holder{tc.v}), "%s: the same is no change", name)
	}
}

// What is different is a change although its text is the same, unless the text is all there is to compare.
func TestDiffComparesMoreThanText(t *testing.T) {
	t.Parallel()
	type holder struct {
		Masked masked                  `audit:"track"`
		Count  counting                `audit:"track"`
		Float  float64                 `audit:"track"`
		Big    *big.Int                `audit:"track"`
		Any    any                     `audit:"track"`
		Deep   [][][][][][][][][][]int `audit:"track"`
	}
	deep := func(n int) [][][][][][][][][][]int { return [][][][][][][][][][]int{{{{{{{{{{n}}}}}}}}}} }
	for name, tc := range map[string]struct {
		before, after holder
		want          int
	}{
		"masked":            {holder{Masked: "a"}, holder{Masked: "b"}, 1},
		"numbers":           {holder{Count: 1}, holder{Count: 2}, 1},
		"NaN":               {holder{Float: math.NaN()}, holder{Float: math.NaN()}, 0},
		"zero's sign":       {holder{Float: 0}, holder{Float: math.Copysign(0, -1)}, 1},
		"the same number":   {holder{Big: big.NewInt(1)}, holder{Big: new(big.Int).Sub(big.NewInt(2), big.NewInt(1))}, 0},
		"1 and 1.0":         {holder{Any: 1}, holder{Any: 1.0}, 1},
		"nil and typed nil": {holder{}, holder{Any: (*int)(nil)}, 0},
		"too deep to show":  {holder{Deep: deep(1)}, holder{Deep: deep(2)}, 1},
		"as deep, the same": {holder{Deep: deep(1)}, holder{Deep: deep(1)}, 0},
		"empty and nil":     {holder{Any: []int{}}, holder{Any: []int(nil)}, 1},
		"maps":              {holder{Any: map[string]int{"a": 1}}, holder{Any: map[string]int{"b": 1}}, 1},
		"longer":            {holder{Any: []int{1}}, holder{Any: []int{1, 2}}, 1},
		"funcs":             {holder{Any: func() {}}, holder{Any: func() { panic(1) }}, 0},
	} {
		require.Len(t, otelaudit.Diff(tc.before, tc.after), tc.want, name)
	}
}

func TestDiffSensitive(t *testing.T) {
	t.Parallel()
	type holder struct {
		At    time.Time  `audit:"sensitive"`
		Ptr   *time.Time `audit:"sensitive"`
		Inner author     `audit:"sensitive"`
		Any   any        `audit:"sensitive"`
	}
	elsewhere := noon.In(time.FixedZone("", 3600))
	require.Empty(t, otelaudit.Diff(holder{At: noon, Ptr: &noon}, holder{At: elsewhere, Ptr: &elsewhere}))
	require.Equal(t, otelaudit.Changes{changed("Inner", hidden, hidden)},
		otelaudit.Diff(holder{}, holder{Inner: author{Notes: "also what is untagged within counts"}}))
	require.Equal(t, otelaudit.Changes{changed("Any", hidden, hidden), changed("Ptr", hidden, hidden)},
		otelaudit.Diff(holder{}, holder{Any: 1, Ptr: &noon}), "not even that there was none")
}

type base struct {
	ID     int `audit:"track"`
	Hidden string
}

type Base struct {
	Name string `audit:"track"`
}

type tree struct {
	Name  string  `audit:"track"`
	Left  *tree   `audit:"track"`
	Right *tree   `audit:"track"`
	Up    *tree   `audit:"track"`
	All   []*tree `audit:"track"`
}

func TestDiffEmbedded(t *testing.T) {
	t.Parallel()
	type flat struct {
		base
		*Base
		Own string `audit:"track"`
	}
	require.Equal(t, otelaudit.Changes{changed("ID", num(1), num(2)), changed("Name", none, str("n")), changed("Own", str("a"), str("b"))},
		otelaudit.Diff(flat{base: base{ID: 1}, Own: "a"}, flat{base: base{ID: 2, Hidden: "x"}, Base: &Base{Name: "n"}, Own: "b"}))

	type unexported struct{ *base }
	require.Equal(t, otelaudit.Changes{changed("ID", none, num(2))}, otelaudit.Diff(unexported{}, unexported{&base{ID: 2, Hidden: "x"}}))

	type named struct {
		Base `audit:"track"`
	}
	require.Equal(t, otelaudit.Changes{changed("Base.Name", str(""), str("n"))}, otelaudit.Diff(named{}, named{Base{Name: "n"}}))

	type shadowing struct {
		Own string `audit:"sensitive" json:"Name"`
		Base
	}
	require.Equal(t, otelaudit.Changes{changed("Name", hidden, hidden)},
		otelaudit.Diff(shadowing{}, shadowing{Own: "secret", Base: Base{Name: "n"}}), "the outermost stands, as in JSON")
	require.Len(t, handled.about("shadowing", `several tagged fields named "Name"`), 1)

	type selfish struct {
		*selfish        //nolint:unused // Diff looks at it
		Own      string `audit:"track"`
	}
	require.Equal(t, otelaudit.Changes{changed("Own", str(""), str("x"))}, otelaudit.Diff(selfish{}, selfish{Own: "x"}))
}

// A text of its own could show what is not tagged: with tags, there is none.

type spoken struct {
	Name  string `audit:"track"`
	Token string
}

func (s spoken) String() string { return s.Name + s.Token }

type (
	spokenList []spoken
	spokenMap  map[string]*spoken
	spokenBox  struct{ *spoken }
)

func (l spokenList) String() string { return fmt.Sprint([]spoken(l)) }
func (m spokenMap) MarshalText() ([]byte, error) {
	return fmt.Append(nil, m["a"].Token), nil
}

func TestDiffTagsGoBeforeTexts(t *testing.T) {
	t.Parallel()
	type holder struct {
		V any `audit:"track"`
	}
	s := spoken{Name: "n", Token: "canary"}
	shown := attribute.MapValue(attribute.String("Name", "n"))
	for name, tc := range map[string]struct {
		v    any
		want attribute.Value
	}{
		"list":       {spokenList{s}, attribute.SliceValue(shown)},
		"map":        {spokenMap{"a": &s}, attribute.MapValue(attribute.KeyValue{Key: "a", Value: shown})},
		"array":      {[1]spoken{s}, attribute.SliceValue(shown)},
		"key":        {map[spoken]int{s: 1}, attribute.MapValue(attribute.Int(`{"Name":"n"}`, 1))},
		"two levels": {[]*spokenList{{s}}, attribute.SliceValue(attribute.SliceValue(shown))},
	} {
		require.Equal(t, otelaudit.Changes{changed("V", none, tc.want)}, otelaudit.Diff(holder{}, holder{tc.v}), name)
	}
	for name, v := range map[string]any{"struct": s, "pointer": &s, "embedded": spokenBox{&s}} {
		require.Equal(t, otelaudit.Changes{changed("V.Name", none, str("n"))}, otelaudit.Diff(holder{}, holder{v}), name)
	}
}

type (
	tagless struct{ Any any }
	price   struct {
		Int   *big.Int
		Exp   int32
		Valid bool
	}
	interval struct{ Months, Days int }
	embedded struct{ sql.NullString }
	keptAt   struct{ At, Until time.Time }
	closed   struct{ tell func() string }
)

func (c closed) String() string              { return c.tell() }
func (t tagless) String() string             { return fmt.Sprint("holds ", t.Any) }
func (p price) Value() (driver.Value, error) { return fmt.Sprintf("%se%d", p.Int, p.Exp), nil }
func (i interval) Value() (driver.Value, error) {
	return fmt.Sprint(i.Months, " months ", i.Days, " days"), nil
}
func (k keptAt) Value() (driver.Value, error) { return k.At, nil }

// What a text or a column says counts where no tag is within, and is not taken from it without need.
func TestDiffKeepsPlainTexts(t *testing.T) {
	t.Parallel()
	type holder struct {
		V any `audit:"track"`
	}
	page, err := url.Parse("https://example.com/a?b=c")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		v    any
		want attribute.Value
	}{
		"URL":                       {page, str("https://example.com/a?b=c")},
		"address and port":          {netip.MustParseAddrPort("[::1]:80"), str("[::1]:80")},
		"network":                   {&net.IPNet{IP: net.IPv4(10, 0, 0, 0), Mask: net.CIDRMask(8, 32)}, str("10.0.0.0/8")},
		"pattern":                   {regexp.MustCompile("a+"), str("a+")},
		"name with interfaces":      {pkix.Name{CommonName: "ana", Names: []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: "ana"}}}, str("CN=ana")},
		"attribute":                 {attribute.StringSliceValue([]string{"a"}), str(`["a"]`)},
		"logged value":              {slog.AnyValue("a"), str("a")},
		"interface of text":         {tagless{"a"}, str("holds a")},
		"pointer to such":           {&tagless{1}, str("holds 1")},
		"interface of tagged":       {tagless{author{}}, attribute.MapValue()},
		"interface of tagged, deep": {tagless{[]any{map[string]any{"a": []*author{}}}}, attribute.MapValue()},
		"func":                      {closed{func() string { return "a" }}, attribute.MapValue()},
		"interface of a func":       {tagless{func() {}}, attribute.MapValue()},
		"too much to search":        {tagless{make([]any, 5000)}, attribute.MapValue()},
		"number in text":            {price{big.NewInt(1250), -2, true}, str("1250e-2")},
		"time of several":           {keptAt{At: noon}, str("2026-03-01T12:00:00Z")},
		"text of several":           {interval{1, 2}, attribute.MapValue()},
		"embedded column":           {embedded{sql.NullString{String: "a", Valid: true}}, str("a")},
		"column of an enum":         {sql.Null[counting]{V: 1, Valid: true}, num(1)},
	} {
		require.Equal(t, otelaudit.Changes{changed("V", none, tc.want)}, otelaudit.Diff(holder{}, holder{tc.v}), name)
	}
	shown := otelaudit.Diff(holder{sql.NullString{}}, holder{sql.NullString{String: "a", Valid: true}})
	require.Equal(t, otelaudit.Changes{changed("V", none, str("a"))}, shown)
}

// Also within what a list of fields names, tags go before texts and columns.
func TestFieldsDiffTagsGoBeforeTexts(t *testing.T) {
	t.Parallel()
	type row struct {
		Box boxed
		Col storedBox
		Any []any
	}
	v := account{Name: "ana", Pass: "canary", Token: "canary"}
	changes, err := otelaudit.Fields{Track: []string{"Box", "Col", "Any"}}.Diff(nil, row{boxed{v}, storedBox{v}, listed{v}})
	require.NoError(t, err)
	shown := attribute.MapValue(attribute.String("Name", "ana"), attribute.String("Pass", otelaudit.Redacted))
	inner := attribute.MapValue(attribute.KeyValue{Key: "Account", Value: shown})
	require.Equal(t, otelaudit.Changes{
		changed("Any", none, attribute.SliceValue(shown)), changed("Box", none, inner), changed("Col", none, inner),
	}, changes)
}

func TestDiffCyclesTerminate(t *testing.T) {
	t.Parallel()
	grow := func(name string) *tree { // a tree all of whose nodes know each other
		nodes := make([]*tree, 12)
		for i := range nodes {
			nodes[i] = &tree{Name: fmt.Sprint(name, i)}
		}
		for i, n := range nodes {
			n.Left, n.Right, n.Up, n.All = nodes[(i+1)%12], nodes[(i+2)%12], nodes[(i+11)%12], nodes
		}
		return nodes[0]
	}
	require.Empty(t, otelaudit.Diff(grow("a"), grow("a")))
	same := grow("a")
	require.Empty(t, otelaudit.Diff(same, same))
	require.NotEmpty(t, otelaudit.Diff(grow("a"), grow("b")))

	one := &tree{Name: "x"}
	one.Left, one.Up, one.All = one, one, []*tree{one}
	two := &tree{Name: "y"}
	two.Left, two.Up, two.All = two, two, []*tree{two}
	changes := otelaudit.Diff(one, two)
	require.Len(t, changes, 2, "a circle is gone around once: %v", changes)
	require.Equal(t, changed("Name", str("x"), str("y")), changes[1])

	type list []any
	endless := list{nil}
	endless[0] = endless
	table := map[string]any{}
	table["self"] = table
	type holder struct {
		L list           `audit:"track"`
		M map[string]any `audit:"track"`
		S any            `audit:"sensitive"`
	}
	require.Empty(t, otelaudit.Diff(holder{endless, table, table}, holder{endless, table, table}))
	require.Contains(t, otelaudit.Diff(holder{}, holder{endless, table, table})[0].New.String(), "TOO DEEP")
}

// What refers to each other over and over is compared once and shown in part: a value cannot take the memory.
func TestDiffIsBounded(t *testing.T) {
	t.Parallel()
	type line struct {
		N    int `audit:"track"`
		Back any `audit:"track"`
	}
	build := func(n int) []*line {
		lines := make([]*line, 600)
		for i := range lines {
			lines[i] = &line{N: i, Back: lines}
		}
		lines[len(lines)-1].N = n
		return lines
	}
	type holder struct {
		Lines []*line `audit:"track"`
	}
	require.Empty(t, otelaudit.Diff(holder{build(1)}, holder{build(1)}))
	changes := otelaudit.Diff(holder{build(1)}, holder{build(2)})
	require.Len(t, changes, 1)
	require.Contains(t, changes[0].New.String(), "TOO LARGE")

	type chain struct {
		N    int    `audit:"track"`
		Next *chain `audit:"track"`
	}
	long := func(n int) *chain {
		var c *chain
		for range n {
			c = &chain{1, c}
		}
		return c
	}
	require.Empty(t, otelaudit.Diff(long(5000), long(5000)))
	require.Len(t, otelaudit.Diff(long(5000), long(5001)), 1, "far behind what is shown")
}

// What is left out takes no memory.
func TestDiffCutsOnce(t *testing.T) {
	t.Parallel()
	type holder struct {
		V any `audit:"track"`
	}
	numbers, table := make([]int, 2*otelaudit.MaxRecordBytes), map[int]int{}
	for i := range numbers {
		table[i] = i
	}
	cut := str("***TOO LARGE***")
	list := otelaudit.Diff(holder{}, holder{numbers})[0].New.AsSlice()
	require.Less(t, len(list), otelaudit.MaxRecordBytes)
	require.Equal(t, []attribute.Value{num(0), cut}, list[len(list)-2:])
	var cuts int
	dict := otelaudit.Diff(holder{}, holder{table})[0].New.AsMap()
	require.Less(t, len(dict), otelaudit.MaxRecordBytes)
	for _, kv := range dict {
		if kv.Value == cut {
			cuts++
		}
	}
	require.Equal(t, 1, cuts)
}

func TestDiffReports(t *testing.T) {
	t.Parallel()
	type unknownTag struct {
		Secret string `audit:"trakc"`
		empty  string `audit:"track"`
	}
	for range 3 {
		require.Equal(t, otelaudit.Changes{changed("Secret", hidden, hidden)},
			otelaudit.Diff(unknownTag{}, unknownTag{Secret: "canary", empty: "canary"}), "an unknown tag counts as sensitive")
	}
	require.Len(t, handled.about("unknownTag", `unknown tag audit:"trakc" on field Secret`), 1, "reported once")
	require.Len(t, handled.about("unknownTag", "unexported field empty"), 1)

	type point struct{ X, Y int }
	type silent struct {
		At *point `audit:"track"`
	}
	require.Empty(t, otelaudit.Diff(silent{At: &point{1, 2}}, silent{At: &point{3, 4}}))
	require.Len(t, handled.about("point", "nothing of it is recorded"), 1)

	for range 2 {
		require.Nil(t, otelaudit.Diff(map[string]int{"a": 1}, map[string]int{"a": 2}))
		require.Nil(t, otelaudit.Diff[any](author{}, article{}))
	}
	require.Len(t, handled.about("map[string]int", "is no struct", "otelaudit.Fields"), 1)
	require.Len(t, handled.about("author", "cannot be compared with", "article"), 1)
}

func TestDiffConcurrently(t *testing.T) {
	t.Parallel()
	type fresh struct { // nobody else has its plan
		A    int    `audit:"track"`
		B    string `audit:"sensitive"`
		Tree *tree  `audit:"track"`
		Odd  int    `audit:"odd"`
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			changes := otelaudit.Diff(fresh{A: 1, Odd: 1}, fresh{A: 2, B: "x", Tree: &tree{Name: "t"}})
			if len(changes) != 4 {
				t.Errorf("%v", changes)
			}
		})
	}
	wg.Wait()
	require.Len(t, handled.about("fresh", "unknown tag"), 1)
}

func TestFieldsDiffOfStructs(t *testing.T) {
	t.Parallel()
	type address struct{ City, Street string }
	type person struct {
		base
		*Base
		Name    string  `json:"name"`
		SSN     string  `json:"ssn"`
		Address address `json:"address"`
		By      *author
		Kept    string `audit:"sensitive"`
		private string
	}
	before := &person{Name: "Ana", SSN: "1", Address: address{"Graz", "A"}, private: "x"}
	after := &person{Name: "Bo", SSN: "2", Address: address{"Linz", "A"}, By: &author{Name: "bo", Email: "e", Notes: "n"}, Kept: "secret"}
	changes, err := otelaudit.Fields{
		Track: []string{"name", "address", "By", "Kept", "ID", "Base"}, Sensitive: []string{"SSN"},
	}.Diff(before, after)
	require.NoError(t, err)
	require.Equal(t, otelaudit.Changes{
		changed("By", none, attribute.MapValue(attribute.String("Email", otelaudit.Redacted), attribute.String("name", "bo"))),
		changed("Kept", hidden, hidden), // a list does not undo a tag
		changed("SSN", hidden, hidden),
		changed("address", attribute.MapValue(attribute.String("City", "Graz"), attribute.String("Street", "A")),
			attribute.MapValue(attribute.String("City", "Linz"), attribute.String("Street", "A"))),
		changed("name", str("Ana"), str("Bo")),
	}, changes)

	changes, err = otelaudit.Fields{Track: []string{"name"}}.Diff(nil, *after)
	require.NoError(t, err)
	require.Equal(t, otelaudit.Changes{changed("name", none, str("Bo"))}, changes)
	changes, err = otelaudit.Fields{Track: []string{"Name"}}.Diff((*person)(nil), nil)
	require.NoError(t, err)
	require.Nil(t, changes)
}

func TestFieldsDiffOfEmbedded(t *testing.T) {
	t.Parallel()
	type Inner struct{ Title, Note string }
	type Outer struct {
		*Inner
		Kept string `audit:"track"`
	}
	type doc struct {
		Outer `audit:"sensitive"`
		Own   string
	}
	changes, err := otelaudit.Fields{Track: []string{"Title", "Kept", "Own"}}.Diff(nil, doc{Outer{&Inner{Title: "canary"}, "canary"}, "o"})
	require.NoError(t, err)
	require.Equal(t, otelaudit.Changes{
		changed("Kept", none, hidden), changed("Own", none, str("o")), changed("Title", none, hidden),
	}, changes)
}

func TestFieldsDiffOfMaps(t *testing.T) {
	t.Parallel()
	type key string
	before := map[key]any{"title": "a", "ssn": "1", "gone": 1, "untracked": 1, "null": nil}
	after := map[key]any{"title": "b", "ssn": "2", "new": []int{1}, "untracked": 2}
	changes, err := otelaudit.Fields{Track: []string{"title", "gone", "new", "never", "null"}, Sensitive: []string{"ssn"}}.Diff(before, &after)
	require.NoError(t, err)
	require.Equal(t, otelaudit.Changes{
		changed("gone", num(1), none), changed("new", none, attribute.SliceValue(num(1))), changed("ssn", hidden, hidden),
		changed("title", str("a"), str("b")),
	}, changes)
	changes, err = otelaudit.Fields{Track: []string{"title"}}.Diff(map[key]any(nil), after)
	require.NoError(t, err)
	require.Equal(t, otelaudit.Changes{changed("title", none, str("b"))}, changes)
}

func TestFieldsDiffRefuses(t *testing.T) {
	t.Parallel()
	type outer struct {
		Own string `json:"Name"`
		Base
	}
	for name, tc := range map[string]struct {
		f             otelaudit.Fields
		before, after any
		says          string
	}{
		"no fields":       {otelaudit.Fields{}, author{}, author{}, "both empty"},
		"an empty field":  {otelaudit.Fields{Track: []string{""}}, author{}, author{}, "name is empty"},
		"a field twice":   {otelaudit.Fields{Track: []string{"a"}, Sensitive: []string{"a"}}, author{}, author{}, `"a" is listed twice`},
		"by two names":    {otelaudit.Fields{Track: []string{"name"}, Sensitive: []string{"Name"}}, author{}, author{}, `"Name" of otelaudit_test.author is listed twice: also as "name"`},
		"a part":          {otelaudit.Fields{Track: []string{"Base"}, Sensitive: []string{"Name"}}, struct{ Base }{}, nil, `listed twice: also as "Base"`},
		"of another":      {otelaudit.Fields{Track: []string{"Name", "Base"}}, struct{ Base }{}, nil, `listed twice: also as "Name"`},
		"the outermost":   {otelaudit.Fields{Track: []string{"Own"}, Sensitive: []string{"Name"}}, outer{}, nil, `"Name" of otelaudit_test.outer is listed twice`},
		"no such field":   {otelaudit.Fields{Track: []string{"Naam"}}, author{}, author{}, `no exported field "Naam"`},
		"unexported":      {otelaudit.Fields{Track: []string{"internal"}}, article{}, article{}, `no exported field "internal"`},
		"two types":       {otelaudit.Fields{Track: []string{"name"}}, author{}, article{}, "two values of one type"},
		"no struct":       {otelaudit.Fields{Track: []string{"name"}}, 1, 2, "int is neither a struct nor a map with string keys"},
		"other keys":      {otelaudit.Fields{Track: []string{"name"}}, map[int]int{}, nil, "neither a struct nor a map"},
		"long field name": {otelaudit.Fields{Track: []string{strings.Repeat("x", 100)}}, author{}, nil, "no exported field"},
	} {
		changes, err := tc.f.Diff(tc.before, tc.after)
		require.Nil(t, changes, name)
		require.ErrorIs(t, err, otelaudit.ErrInvalid, name)
		require.ErrorContains(t, err, tc.says, name)
	}
}

func TestDiffOfDatabaseColumns(t *testing.T) {
	t.Parallel()
	type row struct {
		Name  sql.NullString   `audit:"track"`
		Limit sql.Null[int64]  `audit:"track"`
		Since sql.NullTime     `audit:"track"`
		Same  *sql.NullFloat64 `audit:"track"`
		PIN   sql.NullString   `audit:"sensitive"`
	}
	before := row{Name: sql.NullString{String: "left over"}, Same: &sql.NullFloat64{Float64: 1, Valid: true}}
	after := row{
		Name:  sql.NullString{String: "Ann", Valid: true},
		Limit: sql.Null[int64]{V: 7, Valid: true},
		Since: sql.NullTime{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), Valid: true},
		Same:  &sql.NullFloat64{Float64: 1, Valid: true},
		PIN:   sql.NullString{String: "1234", Valid: true},
	}
	require.Equal(t, otelaudit.Changes{
		{Field: "Limit", New: attribute.Int64Value(7)},
		{Field: "Name", New: attribute.StringValue("Ann")},
		{Field: "PIN", Old: attribute.StringValue(otelaudit.Redacted), New: attribute.StringValue(otelaudit.Redacted)},
		{Field: "Since", New: attribute.StringValue("2026-01-02T02:04:05Z")},
	}, otelaudit.Diff(before, after))
	require.Empty(t, otelaudit.Diff(before, row{Same: &sql.NullFloat64{Float64: 1, Valid: true}}), "what is not valid is NULL, whatever it holds")
}

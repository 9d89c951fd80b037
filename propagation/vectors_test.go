package propagation

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
)

var updateVectors = flag.Bool("update-vectors", false, "make the payloads and tokens of testdata/vectors.json anew")

const vectorsFile = "testdata/vectors.json"

// vectors are tokens of which every byte is fixed, for whoever implements docs/actor-token.md.
type vectors struct {
	Comment string          `json:"comment"`
	Keys    json.RawMessage `json:"keys"` // a JWK Set
	Vectors []*vector       `json:"vectors"`
}

type vector struct {
	Name      string   `json:"name"`
	Kind      kind     `json:"kind"`
	Key       string   `json:"kid"`
	Issued    int64    `json:"issued"`
	Lifetime  int64    `json:"lifetime"`
	Nonce     hexBytes `json:"nonce"`
	Trace     hexBytes `json:"trace_id"`
	Span      hexBytes `json:"span_id,omitempty"` // messages only, like Body
	Body      string   `json:"body,omitempty"`
	Issuer    string   `json:"issuer"`
	Audience  string   `json:"audience"`
	Tenant    string   `json:"tenant"`
	Operation string   `json:"operation"`
	Reason    string   `json:"reason"`
	Parties   []struct {
		Type       otelaudit.ActorType `json:"type"`
		ID         string              `json:"id"`
		Name       string              `json:"name"`
		AuthMethod string              `json:"auth_method"`
	} `json:"parties"`
	Payload hexBytes `json:"payload"`
	Token   string   `json:"token"`
}

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(nil, text)
	return err
}

func (v *vector) claims() *claimSet {
	c := &claimSet{
		kind: v.Kind, issued: v.Issued, lifetime: v.Lifetime,
		issuer: v.Issuer, audience: v.Audience, tenant: v.Tenant, operation: v.Operation, reason: v.Reason,
	}
	copy(c.nonce[:], v.Nonce)
	copy(c.trace[:], v.Trace)
	if v.Kind == kindMessage {
		copy(c.span[:], v.Span)
		c.message = sha256.Sum256([]byte(v.Body))
	}
	for _, p := range v.Parties {
		c.parties = append(c.parties, party{kind: p.Type, id: p.ID, name: p.Name, method: p.AuthMethod})
	}
	return c
}

func readVectors(t *testing.T) (*vectors, []Key) {
	t.Helper()
	text, err := os.ReadFile(vectorsFile)
	require.NoError(t, err)
	var all vectors
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&all))
	keys, _, err := ParseKeys(all.Keys)
	require.NoError(t, err)
	return &all, keys
}

func TestVectors(t *testing.T) {
	t.Parallel()
	all, keys := readVectors(t)
	k := keyring(t, keys...)
	covered := map[string]bool{}
	for _, v := range all.Vectors {
		key := k.current().keys[v.Key]
		require.NotNil(t, key, v.Name)
		c := v.claims()
		token, err := key.seal(nil, c)
		require.NoError(t, err, v.Name)
		if *updateVectors {
			v.Payload, v.Token = c.append(nil), string(token)
			continue
		}
		require.Equal(t, hex.EncodeToString(v.Payload), hex.EncodeToString(c.append(nil)), v.Name)
		require.Equal(t, v.Token, string(token), v.Name)

		opened, rejection := k.open(v.Token, v.Kind, time.Unix(v.Issued, 0))
		require.Empty(t, rejection, v.Name)
		require.Equal(t, *v.claims(), opened.claimSet, v.Name)
		covered[string(v.Kind)+" "+key.String()] = true
	}
	if *updateVectors {
		text, err := json.MarshalIndent(all, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(vectorsFile, append(text, '\n'), 0o600))
		return
	}
	require.Len(t, covered, 4, "both kinds with both algorithms: %v", covered)
}

var (
	jsonBlock  = regexp.MustCompile("(?ms)^```json\n(.*?)^```$")
	tokenBlock = regexp.MustCompile(`(?m)^    (r1\.\S+)$`)
	hexRow     = regexp.MustCompile("(?m)^\\| `([0-9a-f ]+)` \\|")
)

// The worked example of docs/actor-token.md is read as a stranger would read it, with nothing of this package but the key
// file: the rows are the payload, the text is the token, the HMAC is the one of the key, and all of it is the first vector.
func TestTheDocumentsExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/actor-token.md")
	require.NoError(t, err)
	document := string(text)
	all, vectorKeys := readVectors(t)

	var payload []byte
	for _, row := range hexRow.FindAllStringSubmatch(document, -1) {
		part, err := hex.DecodeString(strings.ReplaceAll(row[1], " ", ""))
		require.NoError(t, err)
		payload = append(payload, part...)
	}
	tokens := tokenBlock.FindAllStringSubmatch(document, -1)
	require.Len(t, tokens, 1)
	token := tokens[0][1]
	parts := strings.Split(token, ".")
	require.Equal(t, all.Vectors[0].Token, token)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(payload), parts[2])

	blocks := jsonBlock.FindAllStringSubmatch(document, -1)
	require.Len(t, blocks, 2)
	var set struct {
		Keys []struct{ Kid, K string }
	}
	require.NoError(t, json.Unmarshal([]byte(blocks[0][1]), &set))
	i := slices.IndexFunc(set.Keys, func(key struct{ Kid, K string }) bool { return key.Kid == parts[1] })
	secret, err := base64.RawURLEncoding.DecodeString(set.Keys[i].K)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("otelaudit-actor-token:" + strings.Join(parts[:3], ".")))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), parts[3])

	for _, block := range blocks {
		keys, _, err := ParseKeys([]byte(block[1]))
		require.NoError(t, err)
		for _, key := range keys {
			i := slices.IndexFunc(vectorKeys, func(k Key) bool { return k.ID == key.ID })
			if key.ID == "example-shop-group-1" {
				continue // of another group, which has no vectors
			}
			require.GreaterOrEqual(t, i, 0, "%s is not a key of the vectors", key.ID)
			require.True(t, key.verify([]byte("text"), vectorKeys[i].sign(nil, []byte("text"))), key.ID)
		}
	}
}

// An Ed25519 vector, by the standard library alone.
func TestVectorsAreEd25519s(t *testing.T) {
	t.Parallel()
	all, _ := readVectors(t)
	var set struct {
		Keys []struct{ Kid, X string }
	}
	require.NoError(t, json.Unmarshal(all.Keys, &set))
	verified := 0
	for _, v := range all.Vectors {
		i := slices.IndexFunc(set.Keys, func(key struct{ Kid, X string }) bool { return key.Kid == v.Key && key.X != "" })
		if i < 0 {
			continue
		}
		public, err := base64.RawURLEncoding.DecodeString(set.Keys[i].X)
		require.NoError(t, err)
		end := strings.LastIndexByte(v.Token, '.')
		signature, err := base64.RawURLEncoding.DecodeString(v.Token[end+1:])
		require.NoError(t, err)
		require.True(t, ed25519.Verify(public, []byte("otelaudit-actor-token:"+v.Token[:end]), signature), v.Name)
		verified++
	}
	require.Equal(t, 4, verified)
}

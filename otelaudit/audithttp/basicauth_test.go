package audithttp_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

var errWrongPassword = errors.New("wrong password")

func checkAlice(_ context.Context, user, password string) (otelaudit.Actor, error) {
	switch {
	case user == "alice" && password == "s3cret:with colon":
		return otelaudit.User("u-1"), nil
	case user == "ldap":
		return otelaudit.Actor{Type: otelaudit.ActorUser, ID: "u-2", AuthMethod: "ldap"}, nil
	case user == "nobody":
		return otelaudit.Actor{}, nil
	}
	return otelaudit.User("guessed"), errWrongPassword
}

func TestBasicAuth(t *testing.T) {
	t.Parallel()
	credentials := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	alice := credentials("alice:s3cret:with colon")
	verified := func(id, method string) otelaudit.Actor {
		return otelaudit.Actor{Type: otelaudit.ActorUser, ID: id, AuthMethod: method, Trust: otelaudit.TrustVerified}
	}
	for name, tc := range map[string]struct {
		headers []string
		want    otelaudit.Actor
		err     error
	}{
		"none":              {},
		"another scheme":    {headers: []string{"Bearer abc"}},
		"right":             {headers: []string{"Basic " + alice}, want: verified("u-1", "basic")},
		"scheme's case":     {headers: []string{"bASIC " + alice}, want: verified("u-1", "basic")},
		"method by check":   {headers: []string{"Basic " + credentials("ldap:x")}, want: verified("u-2", "ldap")},
		"wrong":             {headers: []string{"Basic " + credentials("alice:guess")}, err: errWrongPassword},
		"empty":             {headers: []string{"Basic " + credentials(":")}, err: errWrongPassword},
		"check finds none":  {headers: []string{"Basic " + credentials("nobody:x")}, err: audithttp.ErrUnauthenticated},
		"two headers":       {headers: []string{"Basic " + alice, "Basic " + alice}, err: audithttp.ErrUnauthenticated},
		"two schemes":       {headers: []string{"Bearer abc", "Basic " + alice}, err: audithttp.ErrUnauthenticated},
		"no base64":         {headers: []string{"Basic s3cret!"}, err: audithttp.ErrUnauthenticated},
		"no colon":          {headers: []string{"Basic " + credentials("s3cret")}, err: audithttp.ErrUnauthenticated},
		"scheme only":       {headers: []string{"Basic"}, err: audithttp.ErrUnauthenticated},
		"nothing behind it": {headers: []string{"Basic "}, err: audithttp.ErrUnauthenticated},
		"empty header":      {headers: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.Header["Authorization"] = tc.headers
			got, err := audithttp.BasicAuth(checkAlice)(r)
			require.Equal(t, tc.want, got)
			if tc.err == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
			require.ErrorIs(t, err, tc.err)
			require.NotContains(t, err.Error(), "s3cret")
			for _, h := range tc.headers {
				if _, secret, _ := strings.Cut(h, " "); secret != "" {
					require.NotContains(t, err.Error(), secret)
				}
			}
		})
	}
}

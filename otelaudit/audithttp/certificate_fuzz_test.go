package audithttp_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rj-gamer/go-activity-tracker/otelaudit"
	"github.com/rj-gamer/go-activity-tracker/otelaudit/audithttp"
)

// FuzzClientCertificate gives a certificate hostile names: as a CA might have signed them, where crypto/x509 reads that, and as
// a struct, which holds anything. The corpus is in testdata/fuzz; each file is named for what it tries.
func FuzzClientCertificate(f *testing.F) {
	f.Add("spiffe://example.org/ns/a/sa/billing", "billing.example", "admin", uint8(1), uint8(1))
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	recorder, err := otelaudit.NewRecorder(otelaudit.Policy{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, uri, dns, common string, uris, dnsNames uint8) {
		cert := literal(uri, dns, common, int(uris%3), int(dnsNames%3))
		requireOneName(t, recorder, cert)
		if parsed := signed(key, uri, dns, common, int(uris%3), int(dnsNames%3)); parsed != nil {
			requireOneName(t, recorder, parsed)
		}
	})
}

// requireOneName holds what ClientCertificate says of cert against what its documentation does.
func requireOneName(t *testing.T, recorder *otelaudit.Recorder, cert *x509.Certificate) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	got, err := audithttp.ClientCertificate(nil)(r)
	require.ErrorIs(t, err, audithttp.ErrUnauthenticated, "nobody has verified it")
	require.Zero(t, got)

	var names []string
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	if len(names) == 0 {
		for _, name := range cert.DNSNames {
			names = append(names, strings.ToLower(name))
		}
	}
	one := len(names) == 1 && names[0] != "" && (len(cert.URIs) > 0 || !strings.Contains(names[0], "*"))

	r.TLS.VerifiedChains = [][]*x509.Certificate{{cert}}
	got, err = audithttp.ClientCertificate(nil)(r)
	if !one {
		require.ErrorIs(t, err, audithttp.ErrUnauthenticated)
		require.Zero(t, got)
		return
	}
	require.NoError(t, err)
	require.Equal(t, service(names[0]), got)

	var record otelaudit.Record
	_, err = recorder.Record(t.Context(), &otelaudit.Activity{Action: "a.read", Actor: got}, &record)
	require.NoError(t, err)
	recorded := record.Actor
	require.Equal(t, otelaudit.StorableID(got.ID), recorded.ID)
	require.True(t, utf8.ValidString(recorded.ID))
	require.LessOrEqual(t, len(recorded.ID), otelaudit.MaxIDBytes)
	require.Equal(t, -1, strings.IndexFunc(recorded.ID, unicode.IsControl))
	recorded.ID = got.ID
	require.Equal(t, got, recorded)
}

func literal(uri, dns, common string, uris, dnsNames int) *x509.Certificate {
	cert := &x509.Certificate{Subject: pkix.Name{CommonName: common}}
	for range uris {
		u, err := url.Parse(uri)
		if err != nil {
			u = &url.URL{Scheme: uri, Opaque: uri, Fragment: uri}
		}
		cert.URIs = append(cert.URIs, u)
	}
	for range dnsNames {
		cert.DNSNames = append(cert.DNSNames, dns)
	}
	return cert
}

// signed is a certificate whose names are these bytes, or nil where crypto/x509 does not read it.
func signed(key ed25519.PrivateKey, uri, dns, common string, uris, dnsNames int) *x509.Certificate {
	const tagDNS, tagURI = 2, 6 // of GeneralName, RFC 5280 section 4.2.1.6
	var names []asn1.RawValue
	for range uris {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(uri)})
	}
	for range dnsNames {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagDNS, Bytes: []byte(dns)})
	}
	san, err := asn1.Marshal(names)
	if err != nil {
		return nil
	}
	template := &x509.Certificate{
		SerialNumber:    big.NewInt(1),
		Subject:         pkix.Name{CommonName: common},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return cert
}

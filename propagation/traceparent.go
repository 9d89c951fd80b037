package propagation

import (
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const (
	traceparentHeader = "traceparent"
	traceparentBytes  = 55 // of version 00: version-trace-span-flags in hexadecimal
)

// traceOf returns the trace that carrier's traceparent names, the zero one where there is none, or none that is valid. It
// reports false where there are several: others may take another one of them than we would.
func traceOf(carrier propagation.TextMapCarrier) (trace.TraceID, bool) {
	switch lines := values(carrier, traceparentHeader); len(lines) {
	case 0:
		return trace.TraceID{}, true
	case 1:
		return parseTraceparent(lines[0]), true
	default:
		return trace.TraceID{}, false
	}
}

// parseTraceparent returns the trace id that OTel's TraceContext finds in s, and the zero one where it finds none. It needs
// neither the rest nor a context to put it in, and allocates nothing.
func parseTraceparent(s string) trace.TraceID {
	if len(s) < traceparentBytes || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return trace.TraceID{}
	}
	var (
		version, flags [1]byte
		id             trace.TraceID
		span           trace.SpanID
	)
	if !decodeHex(version[:], s[:2]) || !decodeHex(id[:], s[3:35]) || !decodeHex(span[:], s[36:52]) || !decodeHex(flags[:], s[53:55]) {
		return trace.TraceID{}
	}
	rest := s[traceparentBytes:]
	switch {
	case version[0] == 0xff || !span.IsValid(),
		rest != "" && rest[0] != '-',
		version[0] == 0 && (len(rest) > 1 || flags[0] > 3):
		return trace.TraceID{}
	}
	return id
}

// decodeHex decodes lower-case digits: W3C Trace Context knows no others.
func decodeHex(dst []byte, src string) bool {
	for i := range dst {
		high, low := src[2*i], src[2*i+1]
		if !isLowerHex(high) || !isLowerHex(low) {
			return false
		}
		dst[i] = unhex(high)<<4 | unhex(low)
	}
	return true
}

func isLowerHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }

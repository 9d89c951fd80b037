package auditgrpc

import (
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
)

const baggageKey = "baggage"

// changeBaggage gives md the baggage that change makes of it, and reports whether that is another.
func changeBaggage(md metadata.MD, change func(values []string) []string) bool {
	values := md[baggageKey]
	if len(values) == 0 {
		return false
	}
	changed := change(values)
	if slices.Equal(changed, values) {
		return false
	}
	md[baggageKey] = changed
	return true
}

// joinBaggage makes one value of md's several, for otelgrpc looks at the first only, and reports whether there were several.
func joinBaggage(md metadata.MD) bool {
	values := md[baggageKey]
	if len(values) < 2 {
		return false
	}
	md[baggageKey] = []string{strings.Join(values, ",")}
	return true
}

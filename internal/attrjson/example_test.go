package attrjson_test

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"

	"github.com/rj-gamer/go-activity-tracker/internal/attrjson"
)

func ExampleAppend() {
	v := attribute.MapValue(
		attribute.Int("pages", 3),
		attribute.Float64("price", 3),
		attribute.StringSlice("tags", []string{"urgent", "paid"}),
		attribute.ByteSlice("digest", []byte{0xca, 0xfe}),
	)
	text := attrjson.Append(nil, v)
	fmt.Println(string(text))

	back, err := attrjson.Parse(text)
	fmt.Println(back == v, err)
	// Output:
	// {"digest":{"$bytes":"yv4="},"pages":3,"price":3.0,"tags":["urgent","paid"]}
	// true <nil>
}

package definition

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Parts of the schema that several keys use. What JSON Schema cannot express (a duration's bounds,
// unique ids, whether a filter compiles) only Parse finds.
var (
	nameSchema     = map[string]any{"type": "string", "pattern": `^[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}$`}
	durationSchema = map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "pattern": `^(0|\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`},
		map[string]any{"const": 0},
	}}
	groupBySchema = map[string]any{
		"type": "array", "maxItems": MaxGroupBy, "uniqueItems": true,
		"items": map[string]any{"type": "string", "pattern": groupKey.String()},
	}
	panelsSchema = map[string]any{"type": "array", "minItems": 1, "maxItems": MaxPanels, "items": mappingSchema(panelKeys)}
)

func aggregatesSchema() map[string]any {
	var words []string
	for _, a := range Aggregates {
		if a != "pN" {
			words = append(words, a)
		}
	}
	return map[string]any{
		"type": "array", "maxItems": MaxAggregates, "uniqueItems": true,
		"items": map[string]any{"anyOf": []any{
			map[string]any{"enum": words},
			map[string]any{"type": "string", "pattern": "^" + percentilePattern + "$"},
		}},
	}
}

// mappingSchema describes a mapping with exactly these keys.
func mappingSchema[T any](keys []key[T]) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, k := range keys {
		if k.later != "" {
			continue
		}
		property := map[string]any{"description": strings.ReplaceAll(k.doc, "`", "")}
		for name, value := range k.schema {
			property[name] = value
		}
		if k.fallback != "" && k.fallback != "{}" {
			property["default"] = fallbackValue(k.fallback)
		}
		properties[k.name] = property
		if k.required {
			required = append(required, k.name)
		}
	}
	m := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		m["required"] = required
	}
	return m
}

func fallbackValue(text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		// a mistake in a table: every test would show it
		panic("definition: default " + text + ": " + err.Error())
	}
	return v
}

// Schema returns the JSON Schema (2020-12) of a definition.
func Schema() []byte {
	m := mappingSchema(dashboardKeys)
	m["dependentRequired"] = map[string]any{"max_values": []string{"scope"}, "quiet": []string{"scope"}}
	m["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	m["$id"] = "https://github.com/dashfeed/dashfeed/docs/definition.schema.json"
	m["title"] = "Dashfeed dashboard definition"
	m["description"] = fmt.Sprintf("Durations are Go's (250ms, 10s, 5m, 24h), whole ms, at most %s.", durationText(maxDuration/time.Hour*time.Hour))
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		// only maps, lists, text and numbers: every test would show a failure
		panic("definition: schema: " + err.Error())
	}
	return append(b, '\n')
}

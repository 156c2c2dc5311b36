package main

import "go.yaml.in/yaml/v3"

// parseYAML reads any YAML.
func parseYAML(text []byte) (v any, err error) {
	err = yaml.Unmarshal(text, &v)
	return v, err
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads any YAML.
func parseYAML(text []byte) (v any, err error) {
	err = yaml.Unmarshal(text, &v)
	return v, err
}

// singleDocument refuses a YAML text with content behind the first document.
func singleDocument(text []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for first := true; ; first = false {
		var document yaml.Node
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if content := document.Content; !first && len(content) > 0 && content[0].Tag != "!!null" {
			return fmt.Errorf("yaml: line %d: a second document begins; only one is read", content[0].Line)
		}
	}
}

// Package source reads files of definitions.
package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// Item is one definition with the name of its file.
type Item struct {
	File       string
	Definition *definition.Definition // without Dashboard: a tenant's default
}

// Read reads the definitions of a file or a directory. In a directory it reads every *.yaml and
// *.yml by name, except hidden files, and the tenants' defaults in defaults/TENANT.yaml. The error
// is definition.Problems if a text is wrong.
func Read(name string) ([]Item, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return Parse(name, text, messages.Key{})
	}
	return ReadDirectory(os.DirFS(name), name)
}

// ReadDirectory is Read for an open directory; name is its name in errors.
func ReadDirectory(dir fs.FS, name string) ([]Item, error) {
	var all []Item
	var problems definition.Problems
	for _, file := range yamlFiles(dir) {
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, fmt.Errorf("in %s: %w", name, err)
		}
		var key messages.Key
		if path.Dir(file) == "defaults" {
			key.Tenant = strings.TrimSuffix(path.Base(file), path.Ext(file))
		}
		sources, err := Parse(filepath.Join(name, file), text, key)
		var wrong definition.Problems
		if errors.As(err, &wrong) {
			problems = append(problems, wrong...)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, sources...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return all, DefinedTwice(all)
}

// DefinedTwice returns an error for two definitions of one dashboard, or two defaults of one
// tenant: the one applied last would win, and which one that is would depend on which file was
// edited last.
func DefinedTwice(sources []Item) error {
	first := map[messages.Key]string{}
	var errs []error
	for _, s := range sources {
		k := messages.Key{Tenant: s.Definition.Tenant, Dashboard: s.Definition.Dashboard}
		other, twice := first[k]
		if !twice {
			first[k] = s.File
			continue
		}
		what := k.Label()
		if k.Dashboard == "" {
			what = "the default of tenant " + k.Tenant
		}
		errs = append(errs, fmt.Errorf("%s is defined in %s and %s", what, other, s.File))
	}
	return errors.Join(errs...)
}

// yamlFiles returns the definition files of a directory, the tenants' defaults first.
func yamlFiles(dir fs.FS) []string {
	var files []string
	for _, pattern := range []string{"defaults/*.yaml", "defaults/*.yml", "*.yaml", "*.yml"} {
		found, _ := fs.Glob(dir, pattern) // the patterns are valid
		for _, file := range found {
			// hidden files are what editors and file systems keep beside a definition
			if !strings.HasPrefix(path.Base(file), ".") {
				files = append(files, file)
			}
		}
	}
	slices.SortStableFunc(files, func(a, b string) int {
		if da, db := path.Dir(a), path.Dir(b); da != db {
			return -strings.Compare(da, db) // "defaults" before "."
		}
		return strings.Compare(a, b)
	})
	return files
}

// Parse parses one text. key names the tenant if it is a tenant's default.
func Parse(file string, text []byte, key messages.Key) ([]Item, error) {
	definitions, err := definition.Parse(file, text, definition.Options{Aggregates: fold.Builtin().Names(), Key: key})
	if err != nil {
		return nil, err
	}
	sources := make([]Item, len(definitions))
	for i, d := range definitions {
		sources[i] = Item{file, d}
	}
	return sources, nil
}

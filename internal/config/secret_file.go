package config

import (
	"io"
	"os"
	"strings"
)

// fileSuffix makes the name of the variable that names a file with the value.
const fileSuffix = "_FILE"

// maxValueFile bounds what is read of such a file. Secrets are short.
const maxValueFile = 64 << 10

// withFiles reads the values that stand in files, as container platforms hand
// out secrets. What is wrong is told by the name of the variable that the value is
// of.
func (e *Environment) withFiles(known []variable) (*Environment, map[string]Problem) {
	with := *e
	with.read = make(map[string]string)
	wrong := make(map[string]Problem)
	for _, v := range known {
		path, _, _ := e.find(v.name + fileSuffix)
		if !v.file || path == "" {
			continue
		}
		name := v.name + fileSuffix
		if text, _, _ := e.find(v.name); text != "" {
			wrong[v.name] = Problem{Name: v.name, Value: v.shown(text), What: "is set, and " + name + " too", Mend: "set one of the two"}
			continue
		}
		value, err := readValue(path)
		switch {
		case err != nil:
			wrong[v.name] = Problem{Name: v.name, What: name + " names a file that cannot be read: " + cause(err), Mend: "make it readable for this user, or set " + v.name}
		case value == "":
			wrong[v.name] = Problem{Name: v.name, What: name + " names a file that is empty", Mend: "write the value into it, or set " + v.name}
		default:
			with.read[v.name] = value
		}
	}
	return &with, wrong
}

// readValue reads a file without the newline at its end, which editors add.
func readValue(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxValueFile))
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

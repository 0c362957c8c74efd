package cdc

import (
	"errors"
	"strings"
)

// tableName is a table as the catalog spells it.
type tableName struct{ schema, name string }

// sql is the name as SQL wants it, always quoted.
func (t tableName) sql() string { return quoteIdent(t.schema) + "." + quoteIdent(t.name) }

func (t tableName) String() string { return t.schema + "." + t.name }

var errTableName = errors.New("write schema.table, with double quotes around names that are not plain lower case")

// parseTable reads 'table', 'schema.table' and their quoted forms.
func parseTable(s string) (tableName, error) {
	first, rest, err := parseIdent(strings.TrimSpace(s))
	if err != nil {
		return tableName{}, err
	}
	if rest == "" {
		return tableName{schema: "public", name: first}, nil
	}
	if rest[0] != '.' {
		return tableName{}, errTableName
	}
	second, rest, err := parseIdent(rest[1:])
	if err != nil || rest != "" {
		return tableName{}, errTableName
	}
	return tableName{schema: first, name: second}, nil
}

// parseIdent takes one identifier off the front of s.
func parseIdent(s string) (ident, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return parseQuoted(s[1:])
	}
	end := strings.IndexAny(s, `."`)
	if end < 0 {
		end = len(s)
	}
	ident = s[:end]
	if ident == "" || len(ident) > 63 || strings.ContainsAny(ident, " \t\r\n;'()\x00") {
		return "", "", errTableName
	}
	return strings.ToLower(ident), s[end:], nil
}

func parseQuoted(s string) (ident, rest string, err error) {
	var b strings.Builder
	for {
		end := strings.IndexByte(s, '"')
		if end < 0 {
			return "", "", errTableName
		}
		b.WriteString(s[:end])
		s = s[end+1:]
		if !strings.HasPrefix(s, `"`) {
			break
		}
		b.WriteByte('"')
		s = s[1:]
	}
	ident = b.String()
	if ident == "" || len(ident) > 63 || strings.ContainsRune(ident, 0) {
		return "", "", errTableName
	}
	return ident, s, nil
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteLiteral relies on standard_conforming_strings, which is pinned.
func quoteLiteral(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// arrayLiteral is a one-dimensional array in the server's text form.
func arrayLiteral(values []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for j := range len(v) {
			if v[j] == '"' || v[j] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(v[j])
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

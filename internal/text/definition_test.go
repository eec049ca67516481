package text

import "testing"

func TestDefinition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question, defines, mentions string
	}{
		{"What is a chart in Helm?", "## Charts\n\nA *chart* is a collection of files.", "The chart is installed by one command."},
		{"What is a chart?", "chart - a package of files that can be installed", "This installs the library\nchart:\n\n    ship install"},
		{"What are hooks?", "Hooks are functions that run at fixed points.", "You can write hooks yourself."},
		{"what is working memory", "The buffer. Working memory (WM) is the part that holds what is in use.", "It loads the working memory first."},
		{"What does idempotent mean?", "idempotent\n: A request that may be sent twice.", "An idempotent request may be sent twice."},
		{"Define entropy", "Entropy, in information theory, is the mean of what a message tells.", "A source with high entropy is hard to compress."},
		{"O que é um middleware?", "Um \"middleware\" é uma função que trabalha com cada requisição.", "Adicione um middleware à aplicação."},
		{"¿Qué es un repositorio?", "Un repositorio es una carpeta con historia.", "Clona el repositorio."},
		{"Was ist ein Dämon?", "Ein Dämon ist ein Programm im Hintergrund.", "Starten Sie den Dämon neu."},
		{"フックとは何ですか？", "フックとは、関数の一種です。", "フックを呼び出してください。"},
	} {
		d := DefinitionOf(c.question)
		if d == nil {
			t.Errorf("%q asks for no definition", c.question)
			continue
		}
		if !d.In(c.defines) {
			t.Errorf("%q is not answered by %q", c.question, c.defines)
		}
		if d.In(c.mentions) {
			t.Errorf("%q is answered by %q", c.question, c.mentions)
		}
	}
	for _, q := range []string{"", "?", "What is", "How do I install a chart?", "What is the difference between a chart and a release of it?", "Why is it so?"} {
		if d := DefinitionOf(q); d.In("It is so. A chart is a thing.") {
			t.Errorf("%q asks for a definition", q)
		}
	}
}

package builtin

import (
	"strings"
	"testing"
)

// A question for a number is answered by text that has it, not by one that is about
// the same thing.
func TestAskedQuantity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		question, has, lacks string
	}{
		{"How many connections does the pool hold?", "The pool holds up to 20 open connections.", "The pool holds connections until version 3.2 closes them."},
		{"How many requests per second can the proxy take?", "It took 5,000 requests a second on our machine.", "Requests are sent to one of 3 servers. They are counted."},
		{"How much memory does the client need?", "The client needs 64 MB.", "The client keeps 3 caches in memory."},
		{"By how many milliseconds is the new parser faster?", "It saves 12 ms on average.", "The new parser is faster in all 14 cases."},
		{"What is the largest number of tags for one note?", "A note has at most 50 tags.", "Tags of a note are listed in 2 columns."},
		{"What is the maximum number of retries?", "Retries: 5 unless set otherwise.", "A retry waits until HTTP/2 is up."},
		{"How long is a session kept?", "A session is kept for 31 days.", "A session is kept until it ends."},
		{"How long does the program wait?", "It waits 5m0s (`--timeout`).", "Since 3.2.0 it waits for hooks."},
		{"How long may a line be?", "Lines are no longer than 76 characters.", "Lines end with a line feed."},
		{"After how many days does the token end?", "TOKEN_LIFETIME = timedelta(days=31)", "The token has 40 characters and ends."},
		{"How much does a heron weigh?", "A heron weighs 2 kg.", "A heron weighs less than a swan."},
		{"How much did the lake rise?", "The lake rose by 12 cm.", "The lake rose until version 3.2."},
		{"How much is the fee of a seat?", "A seat is $20.", "A seat is 20 cm wide."},
		{"How much does the licence cost?", "The licence is $20 a seat.", "The licence covers 20 seats."},
		{"In what year was the society founded?", "The society was founded in 1899.", "The society was founded by 4 people."},
		{"When was the first release?", "The first release came out in May 2004.", "The first release had 3 commands."},
		{"What percentage of users answered?", "Of all users, 45 percent answered.", "45 users answered."},
		{"Quantos segundos dura o bloqueio?", "O bloqueio dura 30 segundos.", "O bloqueio dura até o fim."},
		{"¿Cuántas ramas puede tener un repositorio?", "Un repositorio puede tener 100 ramas.", "Un repositorio tiene ramas desde la versión 2.0."},
		{"Combien de fichiers peut-on ouvrir ?", "On peut ouvrir 256 fichiers.", "On peut ouvrir des fichiers."},
		{"Wie viele Knoten hat der Verbund?", "Der Verbund hat 5 Knoten.", "Der Verbund hat Knoten in mehreren Städten."},
		{"キャッシュには何メガバイトまで保存できますか？", "キャッシュの上限は 50 MB です。", "キャッシュは 3 つあります。"},
	} {
		q, ok := askedQuantity(c.question)
		if !ok {
			t.Errorf("%q does not ask for a number", c.question)
			continue
		}
		if !q.in(c.has) {
			t.Errorf("%q: no number found in %q (%+v)", c.question, c.has, q)
		}
		if q.in(c.lacks) {
			t.Errorf("%q: a number found in %q (%+v)", c.question, c.lacks, q)
		}
	}
	for _, question := range []string{"How do I count requests?", "Which number format is used?", "What is a quantum?", "When does the hook run?", "Why is it so slow?"} {
		if q, ok := askedQuantity(question); ok {
			t.Errorf("%q asks for %+v", question, q)
		}
	}
}

// The time for a long text of numbers grows with its length, not with its square.
func TestQuantitiesOfALongText(t *testing.T) {
	t.Parallel()
	q, _ := askedQuantity("How many boats are there?")
	long := strings.Repeat("12, ", 20_000)
	if q.in(long) || !q.in(long+"\n\nThere are 12 boats.") {
		t.Error("the boats were not found where they are")
	}
}

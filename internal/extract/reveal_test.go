package extract

import (
	"strings"
	"testing"
)

// partCase is a page, what its text must contain and what not.
type partCase struct {
	name, page string
	want, not  []string
}

func testParts(t *testing.T, cases []partCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			page := readHTML(t, "<!doctype html><html><head><title>Piers</title></head>"+c.page+"</html>")
			mustContain(t, page.Text, c.want...)
			mustNotContain(t, page.Text, c.not...)
		})
	}
}

const (
	question = "My printer says that it is offline since the update, and restarting it changed nothing."
	answerA  = "Hold the power button for 12 seconds, then release it and wait for the light."
	answerB  = "That worked for me as well, but only with firmware 4.1.7 or later."
	opening  = "It opens at nine on Sundays."
	leaving  = "The last boat leaves at half past eight."
)

var forumMenu = `<nav><ul>` + strings.Repeat(`<li><a href=/x>Another board</a></li>`, 12) + `</ul></nav>`

// Every post of a forum is text, whatever software shows it.
func TestForums(t *testing.T) {
	t.Parallel()
	all := []string{question, answerA, answerB}
	user := func(name string) string { return `<a href="/u/` + name + `">` + name + `</a>` }
	testParts(t, []partCase{
		{"Discourse", `<body>` + forumMenu + `<div id="main-outlet"><div class="topic-body crawler-post" itemscope><div class="crawler-post-meta"><span class="creator">` + user("anna") + `</span></div><div class="post" itemprop="text"><p>` + question + `</p></div></div>
<div class="topic-body crawler-post" itemprop="comment"><div class="post" itemprop="text"><p>` + answerA + `</p></div></div><div class="topic-body crawler-post"><div class="post"><p>` + answerB + `</p></div></div></div>`, all, []string{"Another board"}},
		{"phpBB", `<body id="phpbb"><div id="wrap">` + forumMenu + `<div id="page-body"><div id="p1" class="post bg2"><div class="inner"><dl class="postprofile"><dt>` + user("anna") + `</dt><dd>Posts: 12</dd></dl><div class="postbody"><h3><a href="#p1">Offline</a></h3><div class="content">` + question + `</div></div></div></div>
<div id="p2" class="post bg1"><div class="inner"><div class="postbody"><div class="content">` + answerA + `<br><blockquote><div><cite>anna wrote:</cite>` + question + `</div></blockquote></div></div></div></div><div id="p3" class="post bg2"><div class="postbody"><div class="content">` + answerB + `</div></div></div></div></div>`, all, nil},
		{"vBulletin", `<body><table class="tborder"><tr><td class="thead">#1</td></tr><tr><td class="alt2">` + user("anna") + `</td></tr><tr><td class="alt1" id="td_post_1"><div id="post_message_1">` + question + `</div></td></tr></table>
<table class="tborder"><tr><td class="alt1" id="td_post_2"><div id="post_message_2">` + answerA + `</div></td></tr></table><table class="tborder"><tr><td class="alt1"><div id="post_message_3">` + answerB + `</div></td></tr></table>`, all, nil},
		{"XenForo", `<body><div class="p-body-main"><div class="p-body-content"><article class="message" data-author="anna"><div class="message-cell"><article class="message-body js-selectToQuote"><div class="bbWrapper">` + question + `</div></article></div></article>
<article class="message"><article class="message-body"><div class="bbWrapper">` + answerA + `</div></article></article><article class="message"><article class="message-body"><div class="bbWrapper">` + answerB + `</div></article></article></div><aside class="p-body-sidebar">Members online: 12</aside></div>`, all, nil},
		{"a long first post", `<body><main><article class="post">` + lorem + `<p>` + question + `</p></article><article class="post reply"><p>` + answerA + `</p></article><article class="post reply"><p>` + answerB + `</p></article></main>`, all, nil},
		{"a long first article and no main", `<body><article class="post">` + strings.Repeat(lorem, 4) + `<p>` + question + `</p></article><article class="post reply"><p>` + answerA + `</p></article><article class="post reply"><p>` + answerB + `</p></article>`, all, nil},
		{"Flarum", `<body><div id="app"><div id="content"><noscript><p>Turn on scripts</p></noscript><div class="container"><div><article><div class="Post-body"><p>` + question + `</p></div></article></div><div><article><div class="Post-body"><p>` + answerA + `</p></div></article></div><div><article><div class="Post-body"><p>` + answerB + `</p></div></article></div></div></div></div>`, all, nil},
		{"questions and answers", `<body>` + forumMenu + `<main><div class="question" itemscope itemtype="https://schema.org/Question"><h1 itemprop="name">Offline?</h1><div itemprop="text"><p>` + question + `</p></div></div><div id="answers"><div class="answer" itemprop="acceptedAnswer"><div itemprop="text"><p>` + answerA + `</p></div></div><div class="answer" itemprop="suggestedAnswer"><div itemprop="text"><p>` + answerB + `</p></div></div></div></main>`, all, nil},
		{"comments in lists", `<body><article><p>` + question + `</p></article><section id="comments"><ol class="comment-list"><li class="comment"><article><p>` + answerA + `</p></article><ol class="children"><li><article><p>` + answerB + `</p></article></li></ol></li></ol></section>`, all, nil},
		{"a mailing list", `<body><h1>Offline</h1><hr><pre>` + question + `

On Monday, ben wrote:
&gt; ` + answerA + `

` + answerB + `</pre>`, all, nil},
		{"old tables", `<body><table border=0 width="100%"><tr><td><img src="s.gif" width="0"></td><td class="default"><a href=x>anna</a> <div class="comment"><span class="c00">` + question + `</span></div></td></tr><tr><td><img src="s.gif" width="40"></td><td class="default"><div class="comment"><span>` + answerA + `</span></div></td></tr><tr><td><img width="80"></td><td><div class="comment"><span>` + answerB + `</span></div></td></tr></table>`, all, nil},
	})
}

// What a person reads after a click or a scroll is text.
func TestPartsThatControlsReveal(t *testing.T) {
	t.Parallel()
	both := []string{opening, leaving}
	testParts(t, []partCase{
		{"Bootstrap 5 tabs", `<body><style>.tab-content>.tab-pane{display:none}.tab-content>.active{display:block}.fade:not(.show){opacity:0}</style><ul class="nav nav-tabs" role="tablist"><li><button class="nav-link active" data-bs-toggle="tab" data-bs-target="#a">Hours</button></li><li><button class="nav-link" data-bs-toggle="tab" data-bs-target="#b">Boats</button></li></ul><div class="tab-content"><div class="tab-pane fade show active" id="a" role="tabpanel">` + opening + `</div><div class="tab-pane fade" id="b" role="tabpanel">` + leaving + `</div></div>`, both, nil},
		{"Bootstrap 3 tabs", `<body><style>.tab-pane{display:none}.active{display:block}</style><ul class="nav nav-tabs"><li class="active"><a href="#a" data-toggle="tab">Hours</a></li><li><a href="#b" data-toggle="tab">Boats</a></li></ul><div class="tab-content"><div id="a" class="tab-pane active">` + opening + `</div><div id="b" class="tab-pane">` + leaving + `</div></div>`, both, nil},
		{"Material accordion", `<body><style>.css-c{height:0;overflow:hidden;visibility:hidden;transition:height 300ms}</style><div class="MuiAccordion-root"><h3 class="MuiAccordion-heading"><button class="MuiButtonBase-root MuiAccordionSummary-root" aria-expanded="false" aria-controls="panel1-content" id="panel1-header">Hours</button></h3><div class="MuiCollapse-root MuiCollapse-hidden css-c" style="min-height:0px"><div class="MuiCollapse-wrapper"><div aria-labelledby="panel1-header" id="panel1-content" role="region">` + opening + `</div></div></div></div>`, []string{"Hours", opening}, nil},
		{"Docusaurus tabs", `<body><main><div class="tabs-container"><ul role="tablist" aria-orientation="horizontal" class="tabs"><li role="tab" tabindex="0" aria-selected="true" class="tabs__item tabs__item--active">npm</li><li role="tab" tabindex="-1" aria-selected="false" class="tabs__item">Yarn</li></ul><div class="margin-top--md"><div role="tabpanel" class="tabItem_x">` + opening + `</div><div role="tabpanel" class="tabItem_x" hidden="">` + leaving + `</div></div></div></main>`, both, nil},
		{"Headless tabs without roles", `<body><style>[data-state=inactive]{display:none}</style><div><button data-state="active" aria-controls="r1-a">A</button><button data-state="inactive2" aria-controls="r1-b">B</button></div><div data-state="active" id="r1-a">` + opening + `</div><div data-state="inactive" id="r1-b" hidden>` + leaving + `</div>`, both, nil},
		{"tabs of radio buttons", `<body><style>.p{display:none}#t1:checked~.p1,#t2:checked~.p2{display:block}</style><div><input type=radio name=t id=t1 checked><label for=t1>Hours</label><input type=radio name=t id=t2><label for=t2>Boats</label><div class="p p1">` + opening + `</div><div class="p p2">` + leaving + `</div></div>`, both, nil},
		{"accordion of checkboxes", `<body><style>.c{max-height:0;overflow:hidden;transition:max-height .35s}input:checked~.c{max-height:100vh}input{position:absolute;opacity:0}</style><div class=tab><input type=checkbox id=q1><label for=q1>When?</label><div class=c>` + opening + `</div></div><div class=tab><input type=checkbox id=q2><label for=q2>And then?</label><div class=c>` + leaving + `</div></div>`, both, nil},
		{"Sphinx tabs", `<body><div class="sphinx-tabs docutils"><div aria-label="Tabbed content" role="tablist"><button aria-controls="panel-0-0" aria-selected="true" class="sphinx-tabs-tab" id="tab-0-0" name="0-0" role="tab">A</button><button aria-controls="panel-0-1" class="sphinx-tabs-tab" role="tab">B</button></div><div class="sphinx-tabs-panel" id="panel-0-0" role="tabpanel">` + opening + `</div><div class="sphinx-tabs-panel" hidden="true" id="panel-0-1" role="tabpanel">` + leaving + `</div></div>`, both, nil},
		{"MkDocs tabs", `<body><style>.tabbed-block{display:none}.tabbed-set>input:nth-child(1):checked~.tabbed-content>:nth-child(1){display:block}</style><div class="tabbed-set tabbed-alternate" data-tabs="1:2"><input checked id="__t1" name="__tabbed_1" type="radio"><input id="__t2" name="__tabbed_1" type="radio"><div class="tabbed-labels"><label for="__t1">C</label><label for="__t2">Go</label></div><div class="tabbed-content"><div class="tabbed-block"><p>` + opening + `</p></div><div class="tabbed-block"><p>` + leaving + `</p></div></div></div>`, both, nil},
		{"jQuery accordion", `<body><div id="accordion"><h3 class="ui-accordion-header" tabindex="0">Hours</h3><div class="ui-accordion-content" style="display:none">` + opening + `</div><h3 class="ui-accordion-header">Boats</h3><div class="ui-accordion-content" style="display:none">` + leaving + `</div></div>`, both, nil},
		{"WordPress accordion", `<body><style>.wp-block-accordion-panel[aria-hidden=true]{display:none}</style><div class="wp-block-accordion-item"><h3><button class="toggle" aria-expanded="false">Hours</button></h3><div class="wp-block-accordion-panel" role="region" aria-hidden="true">` + opening + `</div></div>`, []string{opening}, nil},
		{"details in details", `<body><details><summary>Hours</summary><p>` + opening + `</p><details><summary>Boats</summary><div hidden>` + leaving + `</div></details></details>`, both, nil},
		{"details by a style sheet", `<body><style>details:not([open])>*:not(summary){display:none}</style><details><summary>Hours</summary><p>` + opening + `</p><p>` + leaving + `</p></details>`, both, nil},
		{"until found", `<body><div hidden="until-found">` + opening + `</div><section hidden=UNTIL-FOUND><p>` + leaving + `</p></section>`, both, nil},
		{"show more", `<body><style>.more-text{display:none}</style><p>Boats.<span id="dots">…</span><span class="more-text" id="more">` + opening + `</span></p><button onclick="show()" aria-controls="more">Read more</button>`, []string{opening}, nil},
		{"carousel", `<body><style>.carousel-item{display:none}.carousel-item.active{display:block}</style><div id="c" class="carousel slide"><div class="carousel-inner"><div class="carousel-item active"><p>` + opening + `</p></div><div class="carousel-item"><p>` + leaving + `</p></div></div></div>`, both, nil},
		{"popover", `<body><button popovertarget="p">Hours</button><div id="p" popover>` + opening + `</div>`, []string{opening}, nil},
		{"dialog behind a button", `<body><button commandfor="d" command="show-modal">Hours</button><dialog id="d"><p>` + opening + `</p></dialog>`, []string{opening}, nil},
		{"AOS", `<body><style>[data-aos]{pointer-events:none}[data-aos=fade-up]{opacity:0;transform:translate3d(0,100px,0);transition-property:opacity,transform}[data-aos].aos-animate{opacity:1;transform:none}</style><div data-aos="fade-up"><p>` + opening + `</p></div>`, []string{opening}, nil},
		{"WOW", `<body><script src="/app.js"></script><style>.wow{visibility:hidden}</style><div class="wow fadeInUp" data-wow-delay=".2s"><p>` + opening + `</p></div>`, []string{opening}, nil},
		{"Elementor", `<body><script src="/app.js"></script><style>.elementor-invisible{visibility:hidden}</style><section class="elementor-section elementor-invisible" data-settings='{"animation":"fadeIn"}'><p>` + opening + `</p></section>`, []string{opening}, nil},
		{"motion", `<body><div style="opacity:0;transform:translateY(40px) translateZ(0)"><p>` + opening + `</p></div><div style="opacity:0;will-change:transform"><p>` + leaving + `</p></div>`, both, nil},
		{"fade-in by a class of the page", `<body><style>.js .reveal{opacity:0}.reveal.is-visible{opacity:1;transition:opacity .6s}</style><div class="reveal"><p>` + opening + `</p></div>`, []string{opening}, nil},
		{"animation that ends seen", `<body><style>@keyframes in{from{opacity:0}to{opacity:1}}.f{opacity:0;animation:in 1s forwards}</style><p class=f>` + opening + `</p>`, []string{opening}, nil},
		{"lazy sections", `<body><style>section{content-visibility:auto;contain-intrinsic-size:1px 5000px}</style><section><p>` + opening + `</p></section>`, []string{opening}, nil},
		{"a body that scripts show", `<body style="opacity:0"><p>` + opening + `</p>`, []string{opening}, nil},
		{"anti-flicker of the root", `<body class="async-hide"><style>.async-hide{opacity:0!important}</style><p>` + opening + `</p>`, []string{opening}, nil},
		{"a root that is cloaked", `<body><script src="/app.js"></script><style>[v-cloak],[x-cloak]{display:none}</style><div id="app" v-cloak><p>` + opening + `</p></div>`, []string{opening}, nil},
	})
}

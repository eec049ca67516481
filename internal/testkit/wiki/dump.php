<?php
// dump.php PAGES writes the pages of PAGES as a dump that MediaWiki imports.

$pages = [];
$title = null;
foreach ( file( $argv[1], FILE_IGNORE_NEW_LINES ) as $line ) {
	if ( preg_match( '/^@ (.+?)(?: -> (.+))?$/', $line, $m ) ) {
		$title = $m[1];
		$pages[$title] = isset( $m[2] ) ? "#REDIRECT [[{$m[2]}]]\n" : '';
	} elseif ( $title !== null ) { // what stands before the first title is for people
		$pages[$title] .= "$line\n";
	}
}
if ( !$pages ) {
	fwrite( STDERR, "{$argv[1]} holds no pages\n" );
	exit( 1 );
}
$x = static fn ( $s ) => htmlspecialchars( $s, ENT_XML1 | ENT_QUOTES, 'UTF-8' );
echo '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">', "\n";
$id = 0;
foreach ( $pages as $title => $text ) {
	$id++;
	$text = trim( $text );
	echo "<page><title>{$x( $title )}</title><ns>0</ns><id>$id</id>",
		"<revision><id>$id</id><timestamp>2026-01-01T00:00:00Z</timestamp>",
		'<contributor><username>Tests</username><id>0</id></contributor>',
		'<model>wikitext</model><format>text/x-wiki</format>',
		'<text bytes="', strlen( $text ), "\" xml:space=\"preserve\">{$x( $text )}</text></revision></page>\n";
}
echo "</mediawiki>\n";

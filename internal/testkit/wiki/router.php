<?php
// router.php makes PHP's own web server serve MediaWiki, whose folder is in
// MEDIAWIKI_CODE, under /w and /wiki as Wikipedia does. Under /plain/w is the API
// of the same wiki without the extension that gives extracts.

$code = getenv( 'MEDIAWIKI_CODE' );
$path = rawurldecode( parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH ) ?: '/' );

if ( preg_match( '#^(/plain)?/w/(api|index|load|rest)\.php(/.*)?$#s', $path, $m ) ) {
	[ $entry, $rest ] = [ $m[2], $m[3] ?? '' ];
	$_SERVER['MEDIAWIKI_PLAIN'] = $m[1] !== '';
} elseif ( preg_match( '#^/wiki/.#s', $path ) ) {
	[ $entry, $rest ] = [ 'index', '' ]; // which reads the title from the address
} else {
	http_response_code( 404 );
	header( 'Content-Type: text/plain' );
	echo "Not found.\n";
	return true;
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = "/w/$entry.php";
$_SERVER['SCRIPT_FILENAME'] = "$code/$entry.php";
if ( $rest !== '' ) {
	$_SERVER['PATH_INFO'] = $rest;
	$_SERVER['PHP_SELF'] .= $rest;
} else {
	unset( $_SERVER['PATH_INFO'] );
}
chdir( $code );
require "$code/$entry.php";
return true;

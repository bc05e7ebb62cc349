use tokio::net::TcpListener;

use super::*;

async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0; 256];
        let read = stream.read(&mut question).await.unwrap();
        assert!(question[..read].starts_with(b"GET /page?a=b%2Fc HTTP/1.0\r\n"));
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    let path = format!("/page?a={}", escaped("b/c"));
    let (said, ()) = tokio::join!(page(&address, &path), serve);
    said.unwrap_or_else(|error| error.to_string().replace(&address, "ADDRESS"))
}

#[tokio::test]
async fn a_page_is_what_follows_the_head() {
    let text = answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\none\n\r\n\r\n").await;
    assert_eq!(text, "one\n\r\n\r\n");
}

#[tokio::test]
async fn another_answer_is_an_error_that_says_what_to_look_at() {
    let text = answering("HTTP/1.1 404 Not Found\r\n\r\nno such page\nindex").await;
    let expected = "admin endpoint ADDRESS: it answered 404 (no such page); is it of this \
                    version?; name the agent's with --admin";
    assert_eq!(text, expected);
}

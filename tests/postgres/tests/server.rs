//! What the tests of others rely on.

use cairn_postgres::Postgres;
use sqlx::{ConnectOptions as _, Executor as _, PgConnection, Row as _, postgres::PgConnectOptions};

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    url.parse::<PgConnectOptions>()?.connect().await
}

#[tokio::test]
async fn each_database_is_new_and_commits_outlive_a_crash() {
    let postgres = Postgres::start().unwrap();
    let (one, two) = (postgres.database().await.unwrap(), postgres.database().await.unwrap());
    let mut connection = connect(&one).await.unwrap();
    connection.execute("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (7)").await.unwrap();
    let mut other = connect(&two).await.unwrap();
    assert!(other.execute("SELECT n FROM t").await.is_err(), "databases share nothing");

    postgres.kill();
    assert!(connection.execute("SELECT 1").await.is_err());
    assert!(connect(&one).await.is_err());
    postgres.restart().unwrap();
    let kept = connect(&one).await.unwrap().fetch_one("SELECT n FROM t").await.unwrap();
    assert_eq!(kept.get::<i64, _>("n"), 7);
}

#[tokio::test]
async fn tests_of_one_process_share_a_server_and_the_last_one_ends_it() {
    let first = Postgres::shared().unwrap();
    let second = Postgres::shared().unwrap();
    let url = first.database().await.unwrap();
    drop(first);
    connect(&url).await.unwrap();
    drop(second);
    assert!(connect(&url).await.is_err());
}

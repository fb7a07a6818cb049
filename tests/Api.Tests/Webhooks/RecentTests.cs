using System.Text;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Sessions;
using static WebhookService.Api.Tests.Webhooks.Translate;

namespace WebhookService.Api.Tests.Webhooks;

public sealed class RecentTests
{
    private readonly Recent<string> texts = new(static text => text, static text => text);

    [Fact]
    public void Events_of_one_client_share_its_id_and_peer()
    {
        const string Body = """{"event":"client.ping","clientid":"pump-7","timestamp":1767225600000,"peername":"10.0.0.9:1"}""";

        var (one, other) = (Emqx<RecordSignOfLife>(Body), Emqx<RecordSignOfLife>(Body));

        Assert.Same(one.Client.Value, other.Client.Value);
        Assert.Same(one.Peer, other.Peer);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("ä")]
    [InlineData("site/7/😀")]
    [InlineData("seventeen letters")]
    public void Any_text_is_given_as_it_is(string text)
    {
        var first = texts.Of(Encoding.UTF8.GetBytes(text));

        Assert.Equal(text, first);
        Assert.Same(first, texts.Of(Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void Long_texts_are_not_remembered()
    {
        var (usual, lengthy) = (Encoding.UTF8.GetBytes(new string('a', 128)), Encoding.UTF8.GetBytes(new string('a', 129)));

        Assert.Same(texts.Of(usual), texts.Of(usual));
        Assert.NotSame(texts.Of(lengthy), texts.Of(lengthy));
        Assert.Equal(129, texts.Of(lengthy).Length);
    }

    [Fact]
    public void What_cannot_be_made_is_not_remembered()
    {
        var tries = 0;
        var numbers = new Recent<string>(text => ++tries == 1 ? throw new FormatException() : text, static text => text);

        Assert.Throws<FormatException>(() => numbers.Of("7"u8));
        Assert.Equal("7", numbers.Of("7"u8));
    }

    [Fact]
    public void Each_text_is_itself_however_many_there_are_and_whoever_asks()
    {
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            for (var i = 0; i < 300_000; i++)
            {
                var text = $"client-{i % 90_000}";
                Assert.Equal(text, texts.Of(Encoding.UTF8.GetBytes(text)));
            }
        });
    }
}
